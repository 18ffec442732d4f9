"""Records calls to language models, and the steps around them, in Plumbline.

    from anthropic import Anthropic
    from plumbline import Tracer

    tracer = Tracer(api_key="pl_live_...")
    client = tracer.wrap_anthropic(Anthropic())
"""

from ._observe import bind, observe
from ._scope import Run
from ._sender import Stats
from ._step import Step
from ._tracer import Tracer, initialize
from .clients.patch import Integration

__all__ = ["Integration", "Run", "Stats", "Step", "Tracer", "bind", "initialize", "observe"]
__version__ = "0.1.0"
