from kakitori import threads  # noqa: F401, before torch
