"""Webhooks of mail providers: what they tell, once their signature is verified. One module a provider.

Each has `read(request, key)`, which returns events or raises NotGenuine; none acts, and an event's id makes a replay
harmless.
"""
