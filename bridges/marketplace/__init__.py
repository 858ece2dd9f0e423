"""The chat of a marketplace: buyers, with or without an account, ask sellers about listings."""

from bridges.marketplace.app import BRIDGE

__all__ = ["BRIDGE"]
