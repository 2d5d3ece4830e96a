"""Verified programs handed on, as folders or through the Hugging Face Hub; what comes back counts as not verified.

bundle (what a shared program is made of) -> exchange (push, pull) -> hub; reading is how a stranger's folder is read.
"""

from vlmcar.share.exchange import PulledProgram as PulledProgram
from vlmcar.share.exchange import pull as pull
from vlmcar.share.exchange import push as push
