"""TLS of a listener, with certificate files that are read again when they change."""

import asyncio
import logging
import ssl
from pathlib import Path

from homeserver.errors import Invalid

logger = logging.getLogger(__name__)


class Certificate:
    """A certificate and its private key. New connections get what is in the files now; open ones stay."""

    def __init__(self, certificate_file: Path, private_key_file: Path) -> None:
        self._files = (certificate_file, private_key_file)
        self._read: tuple[int, ...] = ()
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)

    def load(self) -> None:
        """Read the files. Raises Invalid("bad_certificate")."""
        try:
            read = tuple(file.stat().st_mtime_ns for file in self._files)
            # Tried first: a certificate without its key would spoil the context that is in use.
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*self._files)
            self.context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            names = " and ".join(map(str, self._files))
            raise Invalid(
                f"{names}: cannot be read as a certificate and its key ({error})", code="bad_certificate"
            ) from None
        self._read = read

    async def reload(self) -> None:
        """Read the files again if one has changed. If they are no good, the certificate stays as it is."""
        try:
            if await asyncio.to_thread(self._has_changed):
                self.load()
                logger.info("the certificate was read again")
        except (Invalid, OSError) as error:
            logger.warning("the certificate stays as it was: %s", error)

    def _has_changed(self) -> bool:
        return tuple(file.stat().st_mtime_ns for file in self._files) != self._read
