"""The services of this package, all together: what wiring builds and an API is given."""

from dataclasses import dataclass

from homeserver.services.enquiries.enquiries import Enquiries
from homeserver.services.enquiries.guests import Guests


@dataclass(frozen=True, slots=True)
class EnquiryServices:
    """Enquiries and their guests."""

    enquiries: Enquiries
    guests: Guests
