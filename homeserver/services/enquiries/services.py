"""The services of this package: built by wiring, and given to the APIs."""

from dataclasses import dataclass

from homeserver.services.enquiries.enquiries import Enquiries
from homeserver.services.enquiries.guests import Guests


@dataclass(frozen=True, slots=True)
class EnquiryServices:
    """Enquiries and their guests."""

    enquiries: Enquiries
    guests: Guests
