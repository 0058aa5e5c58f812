"""A Twilio of one's own, made from Twilio's documentation: REST in, webhooks and sockets out.

`account.Account` is the telephone network: it reads no clock and opens no
socket. `exchange.Exchange` carries out what it wants, and `api` is its REST
side. Nothing here knows the product; it is the other party.
"""
