"""People and companies that do not exist: names from several parts of the world, domains under `.example` only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "ł": "l",
        "Ł": "L",
        "ø": "o",
        "Ø": "O",
        "đ": "d",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "ð": "d",
        "þ": "th",
    }
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


@dataclass(frozen=True, slots=True)
class Culture:
    """Names that go together. A name in another script is followed by its Latin spelling: `佐藤|Sato`."""

    country: str
    cities: Sequence[str]
    firsts: Sequence[str]
    lasts: Sequence[str]
    forms: Sequence[str]


def _listed(table: str) -> list[str]:
    return table.split(",")


def _culture(country: str, cities: str, firsts: str, lasts: str, forms: str) -> Culture:
    return Culture(country, _listed(cities), firsts.split(), _listed(lasts), _listed(forms))


_CULTURES = (
    _culture(
        "United States", "Portland,Austin,Saint Paul,Tucson", "Emily Marcus Grace Tyrone Hannah Caleb Denise Wyatt",
        "Whitlock,Barrow,O'Dell,Van Houten,Carmody,Ellsworth,Tibbets,St. Cloud", "Inc.,LLC,Co.,& Sons",
    ),
    _culture(
        "Germany", "Köln,Leipzig,Würzburg,Kiel",
        "Jürgen Käthe Anneliese Björn Sören Ulrike Matthias Zoë",
        "Müllerschön,Großkopf,Weißhaupt,von der Aue,Kröger,Päßler,Jäschke,Tröndle", "GmbH,AG,GmbH & Co. KG,e. K.",
    ),
    _culture(
        "France", "Nîmes,Orléans,Besançon,Angers", "Éloïse Benoît Chloé Gaëlle Maxime Thérèse Loïc Anaïs",
        "Lefèvre-Duroc,Beauchêne,d'Aubrac,Châtelain,Garçonnet,Hervé,L'Hostis,Prégent", "SARL,SAS,SA",
    ),
    _culture(
        "Spain", "Málaga,Cádiz,León,Vigo", "Íñigo Lucía Begoña Álvaro Inés Joaquín Pilar Andrés",
        "Muñoz Ibarra,Peñalver,Güell Roca,Ordóñez,Etxeberri,Núñez Vela,Araújo,Cañizares", "S.L.,S.A.",
    ),
    _culture(
        "Türkiye", "İzmir,Eskişehir,Muğla,Çanakkale", "Ayşe İsmail Çağla Ömer Şebnem Doğan Gülşah Kıvanç",  # noqa: RUF001 - Turkish
        "Yıldırımer,Özgenç,Çelikbaş,Işıkalan,Gündoğar,Şahbaz,Karaağaç,Tığlı", "A.Ş.,Ltd. Şti.",  # noqa: RUF001 - Turkish
    ),
    _culture(
        "Poland", "Łódź,Gdańsk,Rzeszów,Poznań", "Łukasz Małgorzata Zbigniew Świętosława Jacek Agnieszka Paweł Grażyna",
        "Wiśniowiecki,Żółtowska,Dąbrowicz,Śliwiński,Brzęczyk,Kołodziejska,Łęcki,Źrebiec", "Sp. z o.o.,S.A.",
    ),
    _culture(
        "Japan", "Kanazawa,Matsumoto,Takamatsu", "花子|Hanako 健太|Kenta 美咲|Misaki 翔|Sho さくら|Sakura 大輔|Daisuke",
        "桐山|Kiriyama,雨宮|Amamiya,Fujikake,三枝|Saegusa,Tokonami,鷲尾|Washio", "K.K.,G.K.",
    ),
    _culture(
        "India", "Kochi,Nagpur,Mysuru,Indore", "Ananya Rohan Lakshmi Vikram Meera Farhan Priyanka Devika",
        "Chattopadhye,Venkatraghavan,Deshpade,Qureshii,Iyengaar,Bhattathiri,Kulkarne,Menoth", "Pvt. Ltd.,LLP",
    ),
    _culture(
        "Nigeria", "Ibadan,Enugu,Jos,Abeokuta", "Chidinma Ọláyínká Emeka Ngozi Babajide Zainab Ifeoma Tunde",
        "Adéwọlé,Okonkwoh,Nwachukwuma,Balogunde,Ezenwa-Ibe,Afolabí,Danjumaa,Uzoamakah", "Ltd,Plc",
    ),
    _culture(
        "Brazil", "Florianópolis,Goiânia,São Luís", "João Conceição Thaís Antônio Luíza Otávio Marília Fabrício",
        "Gonçalves Prado,Assunção,da Conceição Reis,Magalhães,Simões,Falcão,Brandão Lemos,Guimarães", "Ltda.,S.A.",
    ),
    _culture(
        "Ireland", "Galway,Sligo,Kilkenny", "Aoife Ciarán Niamh Seán Saoirse Oisín Gráinne Pádraig",
        "O'Shaughnessey,Ní Bhroin,MacEoin,O'Hallorann,Ó Cuív,Fitzmorris,D'Arcey,McGillan", "Ltd.,DAC",
    ),
    _culture(
        "Sweden", "Malmö,Örebro,Umeå", "Åsa Göran Linnéa Björn Märta Håkan Ingrid Östen",
        "Sjöströmmer,Åkerlind,Ängström,Björkhage,Nyqvister,Östergran,Lindstråle,Häggmark", "AB,HB",
    ),
    _culture(
        "Vietnam", "Huế,Đà Lạt,Cần Thơ", "Thảo Minh Ngọc Đức Hương Khánh Phương Bảo",
        "Nguyễn Vĩnh,Trầnh,Đỗ Quyên,Bùi Lâm,Phạmh,Lê Hoàng", "JSC,Co. Ltd.",
    ),
    _culture(
        "Egypt", "Tanta,Aswan,Mansoura", "Layla Karim Nour Youssef Salma Tarek Dina Hazem",
        "El-Sherbinyy,Abd El-Rauf,Mansourah,Haddadin,Al-Qadri,Zaghloulah", "LLC,S.A.E.",
    ),
)  # fmt: skip
_ROOTS = _listed(
    "Quirlbach,Brackwell,Tannhollow,Fernmarch,Ostervane,Kestrelhof,Silvermoth,Lumenfjord,Pebblecroft,"
    "Wintergarn,Dunkelfink,Marblequay,Rosselwick,Grünspecht,Thornapple,Ulmenrad,Vexholm,Yarrowgate,"
    "Zwillbrunn,Cobaltmere,Hagebutten,Inkwater,Jollyboat,Løvstad,Nettlebury,Orkenfeld,Plumtower,"
    "Querfeld,Rookhaven,Saltglass,Tidewicket,Umbrafield,Willowpress,Xenodale,Éclatant,Birkhuhn,Caskmoor,"
    "Dovetree,Emberlane,Foxglove"
)
_FIELDS = _listed(
    "Logistics,Bakery,Robotics,Textiles,Dental,Paper,Optics,Farming,Printing,Shipping,Furniture,Software,Tiles,"
    'Ceramics,Energy,Pumps,Cycles,Insurance,Foods,"Blue Door" Clinics,Travel,Tools,Labs,Media,Cables,Élevage,Söhne'
)
_TITLES = _listed(
    "Head of Operations,Chief Financial Officer,Purchasing Manager,IT Lead,Founder,Office Manager,Sales Director,"
    "Plant Manager,Geschäftsführer,Directrice commerciale,Data Analyst,Product Owner,COO,Buyer"
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a company. `email` is in lower case; None where nobody asked for it."""

    first: str
    last: str
    email: str | None
    company: str
    title: str
    city: str
    country: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


class People:
    """Makes people; no two have the same e-mail address, save for those who share their company's mailbox."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._taken: set[str] = set()

    def known(self) -> Person:
        """Somebody with an e-mail address of their own."""
        return self._person(mailbox=None)

    def anybody(self) -> Person:
        """Mostly the same, but now and then without an e-mail address, or with `info@`."""
        luck = self._rng.random()
        return self._person(mailbox="" if luck < 0.015 else "info" if luck < 0.03 else None)

    def _person(self, *, mailbox: str | None) -> Person:
        rng = self._rng
        culture = rng.choice(_CULTURES)
        first, plain_first = _spellings(rng.choice(culture.firsts))
        last, plain_last = _spellings(rng.choice(culture.lasts))
        root, field = rng.choice(_ROOTS), rng.choice(_FIELDS)
        domain = f"{slug(root)}-{slug(field)}.example"
        if mailbox is None:
            email: str | None = self._address(f"{slug(plain_first)}.{slug(plain_last)}", domain)
        else:
            email = f"{mailbox}@{domain}" if mailbox else None
        company = f"{root} {field} {rng.choice(culture.forms)}"
        return Person(first, last, email, company, rng.choice(_TITLES), rng.choice(culture.cities), culture.country)

    def _address(self, local: str, domain: str) -> str:
        number = 1
        while (email := f"{local}{number if number > 1 else ''}@{domain}") in self._taken:
            number += 1
        self._taken.add(email)
        return email


def _spellings(name: str) -> tuple[str, str]:
    native, _, latin = name.partition("|")
    return native, latin or native


def slug(text: str) -> str:
    """Lower-case ASCII letters and digits, joined by hyphens: what a name becomes in an address."""
    latin = unicodedata.normalize("NFKD", text.translate(_UMLAUTS).translate(_LETTERS))
    plain = latin.encode("ascii", "ignore").decode().lower().replace("'", "")
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def as_typed(email: str | None, rng: Random) -> str | None:
    """An address in the capitals that people use."""
    if email is None:
        return None
    local, _, domain = email.partition("@")
    return rng.choice((email, email, f"{local.title()}@{domain}", f"{local.title()}@{domain.title()}", email.upper()))
