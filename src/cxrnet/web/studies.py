"""Studies that the service fetches from the DICOMweb server it was started with; clients name no address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cxrnet.errors import PacsError
from cxrnet.imaging.attributes import is_uid
from cxrnet.web.intake import RequestError

if TYPE_CHECKING:
    from cxrnet.node.dicomweb import DICOMwebServer
    from cxrnet.web.entry import Entry
    from cxrnet.web.service import Service

MODALITIES = ("CR", "DX")
"""Series that are fetched of a study: projection radiographs."""


class Studies:
    """Fetches studies into the queue of a service."""

    def __init__(self, url: str, *, authorities: Path | None = None) -> None:
        from cxrnet.node.dicomweb import DICOMwebServer

        self._server: DICOMwebServer = DICOMwebServer(url, authorities=authorities)
        self.name = self._server.name  # in messages

    def fetch(self, study: object, service: Service) -> list[Entry]:
        """Queue the radiographs of a study and return them.

        Status of a RequestError: 400 not a UID, 404 no radiographs, 413 too large, 502 the server fails, or as for
        uploads.
        """
        if not isinstance(study, str) or not is_uid(study):
            raise RequestError(400, 'the study is not named by a UID; send {"study": "1.2.3"}')
        try:
            instances = self._server.instances(study, modalities=MODALITIES)
            if not instances:
                raise RequestError(404, f"{self.name}: has no CR or DX images of this study; check the UID")
            entries = []
            for instance in instances:
                service.check_room()
                content = self._server.fetch_file(instance)
                if len(content) > service.limits.image_bytes:
                    problem = f"an image of the study is larger than {service.limits.image_bytes} bytes"
                    raise RequestError(413, f"{problem}; start the service with a larger --max-image-mb")
                entries.append(service.take([content]))
        except PacsError as error:
            raise RequestError(502, str(error)) from error
        return entries
