"""The methods through which page and commands reach the engine: the one table of names on the wire."""

from collections.abc import Callable
from typing import Any

from engine import asking, erasing, history, picturing, reading
from engine.engine import Engine

METHODS: dict[str, Callable[..., Any]] = {
    "status": Engine.status,
    "create": Engine.create,
    "unlock": Engine.unlock,
    "lock": Engine.lock,
    "touch": Engine.touch,
    "folders": Engine.folders,
    "folders.add": Engine.folders_add,
    "folders.remove": Engine.folders_remove,
    "folders.pause": Engine.folders_pause,
    "folders.resume": Engine.folders_resume,
    "folders.relocate": Engine.folders_relocate,
    "wait": Engine.wait,
    "files": reading.files,
    "documents": reading.documents,
    "document": reading.document,
    "document.text": reading.document_text,
    "document.picture": picturing.document_picture,
    "search": asking.search,
    "ask": asking.ask,
    "conversations": history.conversations,
    "conversation": history.conversation,
    "purge.preview": erasing.purge_preview,
    "purge": erasing.purge,
    "purge.lift": erasing.purge_lift,
    "receipts": erasing.receipts,
    "settings.get": Engine.settings_get,
    "settings.set": Engine.settings_set,
    "passwd": Engine.passwd,
    "recovery": Engine.recovery,
    "backup": Engine.backup,
}
