"""Media: uploads (`store`), content types (`sniff`), thumbnails (`thumbs`), signed URLs (`urls`), deletion (`gc`), and
the Matrix media repository (`repository`)."""
