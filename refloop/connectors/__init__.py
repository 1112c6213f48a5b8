"""Connectors speak to one kind of CRM each, in that CRM's own words."""
