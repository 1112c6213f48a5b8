"""The endpoints of the API, by topic. Each handler takes a Call and gives an Answer or raises a Refusal."""
