"""Notifications: push rules evaluated along the log, unread counts, the list of notifications.

Spec: client-server API, "Push Notifications".
"""
