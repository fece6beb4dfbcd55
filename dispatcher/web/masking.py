"""Shows an address to its owner without telling it to others."""


def masked(email: str) -> str:
    """`ann@example.org` as `a•••@e•••.org`: enough for its owner, too little for whom a message was forwarded to."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}•••@{domain[:1]}•••.{domain.rpartition('.')[2]}"
