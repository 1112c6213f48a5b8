"""The vocabulary of the matcher: words that announce a code, and words that announce somebody else's.

In casefolded NFKC, as `codes.code_key` gives them. English first, then the languages of the larger markets.
"""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a blank-separated table."""
    return frozenset(text.split())


CODE_WORDS = words(
    "code codes promo promocode promotion coupon couponcode discount discountcode referral referralcode referralid "
    "refcode voucher vouchercode invitecode partnercode affiliatecode "
    "kode empfehlungscode gutschein gutscheincode rabattcode aktionscode werbecode kortingscode actiecode "
    "parrainage codepromo código codigo cupón cupon cupom codice sconto kod kodu kupon rabattkod "
    "コード 紹介コード クーポン クーポンコード 推荐码 邀请码 优惠码 코드 추천코드 추천인코드"
)
"""Words that announce a code, so that an unknown one after them is worth a question."""

CUES = CODE_WORDS | words("ref referrer referred via invite invited invitation recommended empfohlen parrain")
"""Words that make a code likely near them."""

FILLERS = words("is was no nr num number id ist lautet es est the my name called")
"""Words that may stand between a cue and its code: `code is ...`."""

NOT_OURS = words(
    "access alarm area bank bar building country dial dress error exit gate http ic item naics plz po post postal "
    "product qr region return security sic sort source status swift tax vat verification zip"
)
"""Words before "code" that make it somebody else's: zip code, error code, QR code."""

CODE_FIELDS = words("code codes coupon promo promocode refcode referralcode voucher")
"""Words in a field's name that say that codes stand in it."""

SAYS_NONE = words("na no non none nil null nan nocode unknown tbd kein keine keiner ninguno aucun nessuno")
"""What people type into a code field to say that there is no code."""
