"""TradingView alerts and the message forms of other bridges, understood without any input or output.

`parse.parse` turns bytes into what they ask for, `secrets_in.blank` into what may be stored,
`symbols.match` a sender's ticker into one of our symbols, and `messages` holds texts to copy into an alert.
"""
