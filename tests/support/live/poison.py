"""A service whose children misbehave as native decoders might, each as the first pixel of the picture says.

No picture is known that makes today's decoders hang or crash, so these stand in for the next one that is found. All
but the ladder in the children is the service as it is: `python -m tests.support.live.poison` serves by the same settings.

Children import this module again, so it imports no more than they have anyway.
"""

from tests.support.live.moods import factory

if __name__ == "__main__":
    from app.main import serve
    from app.settings import Settings

    serve(Settings(port=0), factory=factory)
