"""What every connector needs to call its CRM over HTTP: one guarded session, its limits, and what may be told of it."""
