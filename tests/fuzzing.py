"""How many examples a property is tried on: few and always the same ones in `make test`, many and
always others in `make test-long`."""

from hypothesis import settings

settings.register_profile("test", derandomize=True, deadline=None)
settings.register_profile("long", deadline=None, print_blob=True)
SHARE = 10  # of the examples of a long run, which `make test` takes one of


def fuzz(examples: int, **options: object) -> settings:
    """Settings of a property that a long run tries on so many examples."""
    if settings.get_current_profile_name() != "long":
        examples = max(examples // SHARE, 5)
    return settings(max_examples=examples, deadline=None, **options)
