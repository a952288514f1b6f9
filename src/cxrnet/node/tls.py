"""TLS of the connections that a node accepts, and of those that it opens."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from cxrnet.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class TLS:
    """PEM files: the node's certificate and its key, and the authorities whose certificates are trusted."""

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None

    def server_context(self) -> ssl.SSLContext | None:
        """Return the context of a listener, None without a certificate; with `authorities`, clients must show one.

        Raises:
            UsageError: A file cannot be used, or there is no certificate for a key or for authorities.
        """
        if self.certificate is None:
            if self.authorities is None and self.key is None:
                return None
            raise UsageError("--tls-cert: is missing; --tls-key and --tls-ca need a certificate of the node's own")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.authorities is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return self._loaded(context)

    def client_context(self) -> ssl.SSLContext:
        """Return the context of a connection to another server, whose certificate is always checked.

        Raises:
            UsageError: A file cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.authorities is None:
            context.load_default_certs()
        return self._loaded(context)

    def _loaded(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # BCP 195, as PS3.15 B.9 asks
        try:
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
            if self.authorities is not None:
                context.load_verify_locations(self.authorities)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(each) for each in (self.certificate, self.key, self.authorities) if each is not None)
            raise UsageError(f"{files}: cannot be used for TLS ({error}); PEM files are needed") from error
        return context
