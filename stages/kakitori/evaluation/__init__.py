from kakitori.running import threads  # noqa: F401, before torch
