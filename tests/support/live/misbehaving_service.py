"""A service whose children do what pictures say: ``python -m tests.support.live.misbehaving_service``.

No picture is known that makes today's decoders hang or crash, so these children stand in for the next one that does.
Everything else is the real service under the usual settings.

Children import this module again, so it imports no more than they have anyway.
"""

from tests.support.live.behaviours import factory

if __name__ == "__main__":
    from app.main import serve
    from app.settings import Settings

    serve(Settings(port=0), factory=factory)
