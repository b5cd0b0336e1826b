"""The dashboard: screens that read the `State` and send typed commands; nothing here knows where either comes from."""
