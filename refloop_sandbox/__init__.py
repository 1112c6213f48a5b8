"""A local Salesforce and a local HubSpot: servers on loopback, and companies to fill them.

A package of its own that imports nothing of refloop: it is written from the vendors' documents, not from what refloop
sends.
"""
