"""Twilio: its media stream, its TwiML, its REST API and its webhooks."""
