"""Which settings a script reads: recorded while it runs, for a comparison with dvc.yaml."""


def record() -> set[str]:
    """The settings that this process reads of params.yaml from now on, by their names with dots."""
    from kakitori.running import params  # that of the script, which is found beside it

    load, dump = params.load, params.Group.model_dump
    names: dict[int, str] = {}  # of groups, by their identity
    kept, read = [], set()

    def named(group: params.Group, name: str) -> None:
        names[id(group)] = name
        for field in type(group).model_fields:
            value = object.__getattribute__(group, field)
            if isinstance(value, params.Group):
                named(value, f"{name}.{field}".lstrip("."))

    def loaded(*arguments: object) -> params.Settings:
        settings = load(*arguments)
        kept.append(settings)  # so that no other object takes its place in memory
        named(settings, "")
        return settings

    def gotten(group: params.Group, field: str) -> object:
        value = object.__getattribute__(group, field)
        known = id(group) in names and field in type(group).model_fields
        if known and not isinstance(value, params.Group):
            read.add(f"{names[id(group)]}.{field}".lstrip("."))
        return value

    def dumped(group: params.Group, **options: object) -> dict:
        if name := names.get(id(group)):
            read.add(name)
        return dump(group, **options)

    params.load, params.Group.model_dump = loaded, dumped
    params.Group.__getattribute__ = gotten
    return read
