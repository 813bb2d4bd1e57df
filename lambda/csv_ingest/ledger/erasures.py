"""How operators take back, in the ledger, what was ingested: what `reload` and `forget` record and delete."""

from collections.abc import Iterable
from datetime import datetime

from csv_ingest import dynamodb, modes
from csv_ingest.ledger import items, keys, names, records
from csv_ingest.model import FILES_KEY, BeingErased, ObjectVersion


class Erasures:
    """Contents, and uploads, that are being taken back.

    `content` is the result of `WriteMode.content_key`, and `upload` the beginning of an upload's entries:
    records.FileRecord.upload, or the ETag.
    """

    def __init__(self, table: dynamodb.DynamoDbTable) -> None:
        self._table = table

    def command(self, content: str, feed: str) -> str:
        """Which command takes back what was ingested of a content in a feed; empty if none."""
        item = self._table.get(keys.key_of_content(content, feed))
        return item[names.ERASING]["S"] if names.ERASING in item else ""

    def begin(self, content: str, feed: str, command: str, object_key: str) -> datetime:
        """Have no delivery begin to store rows of a content of a feed from now on; returns since when that is so.

        Deliveries that have begun can store rows until they end. Several keys of a content can be forgotten at a time,
        and to forget it ends a reload, which finds that out by `is_under_way`. Raises BeingErased if a content is to be
        reloaded that is being forgotten.
        """
        erasing: dynamodb.Item = {names.ERASING: {"S": command}, names.ERASING_SINCE: items.now()}
        key = keys.key_of_content(content, feed)
        if command == names.FORGET:
            found = self._table.add_to_set(key, names.ERASING_KEYS, object_key, attributes=erasing)
            return datetime.fromisoformat(found[names.ERASING_SINCE]["S"])
        stayed = self._table.update(key, erasing, condition=f"attribute_not_exists(#{names.ERASING})")
        if stayed and stayed[names.ERASING]["S"] != command:
            raise BeingErased("the same content is being forgotten: end that first")
        return datetime.fromisoformat((stayed or erasing)[names.ERASING_SINCE]["S"])

    def is_under_way(self, content: str, feed: str, command: str, object_key: str) -> bool:
        """Whether a command that has begun has not been ended by another run of it, or by a forget."""
        item = self._table.get(keys.key_of_content(content, feed))
        if names.ERASING not in item or item[names.ERASING]["S"] != command:
            return False
        return command != names.FORGET or object_key in item.get(names.ERASING_KEYS, {}).get("SS", ())

    def leave(self, content: str, feed: str, object_key: str) -> None:
        """Note that a key of a content is not being forgotten any more."""
        self._table.remove_from_set(keys.key_of_content(content, feed), names.ERASING_KEYS, object_key)

    def cancel(self, content: str, feed: str) -> None:
        """Undo `begin`, unless keys are being forgotten: what is recorded of the content is as it was."""
        key = keys.key_of_content(content, feed)
        nobody = f"attribute_exists(#sha256) AND attribute_not_exists(#{names.ERASING_KEYS})"
        if recorded := items.content_of(self._table.get(key)):
            remove = [names.ERASING, names.ERASING_SINCE]
            self._table.update(key, items.about_content(recorded), condition=nobody, remove=remove)
        else:
            self._table.delete(key, condition=f"attribute_not_exists({names.ERASING_KEYS})")

    def end(self, content: str, feed: str) -> None:
        """Forget what is recorded of a content, unless keys are being forgotten: the next delivery reads it anew."""
        key = keys.key_of_content(content, feed)
        self._table.delete(keys.key_of_duplicates(content, feed))
        is_over = f"attribute_exists({names.ERASING}) AND attribute_not_exists({names.ERASING_KEYS})"
        self._table.delete(key, condition=is_over)

    def mark_version(self, version: ObjectVersion, mode: modes.WriteMode, command: str) -> datetime:
        """As `mark`, where each version is an upload of its own: whether or not a delivery of it has begun."""
        marked = items.processing(keys.Entries(version, mode)) | items.erasing(command)
        unless_marked = f"NOT (#{names.ERASING} = :{names.ERASING})"
        own = "(attribute_not_exists(#version_id) OR #version_id = :version_id)"
        while True:
            key = keys.key_of_entry(version.key, self.upload_of(version))
            stayed = self._table.update(key, marked, condition=f"{unless_marked} AND {own}", remove=names.EXPIRY)
            if stayed is None or stayed["version_id"] == marked["version_id"]:
                return datetime.fromisoformat((stayed or marked)[names.ERASING_SINCE]["S"])

    def mark(self, object_key: str, upload: str, command: str) -> datetime:
        """Have every delivery of an upload take it for complete, and the sweep for unsettled; returns since when.

        Repeating it changes nothing, nor does reloading a file that is being forgotten: that goes before.
        """
        marked = items.erasing(command)
        unless_marked = f"NOT (#{names.ERASING} = :{names.ERASING} OR #{names.ERASING} = :forget)"
        forget: dynamodb.Item = {"forget": {"S": names.FORGET}}
        key = keys.key_of_entry(object_key, upload)
        stayed = self._table.update(key, marked, condition=unless_marked, values=forget, remove=names.EXPIRY)
        return datetime.fromisoformat((stayed or marked)[names.ERASING_SINCE]["S"])

    def mark_rows_erased(self, object_key: str, upload: str) -> None:
        """Note that no row of an upload that is being erased is stored any more."""
        key = keys.key_of_entry(object_key, upload)
        self._table.update(key, {"rows_erased_at": items.now()}, condition=f"attribute_exists(#{names.ERASING})")

    def erase_entries(self, object_key: str, upload: str) -> None:
        """Delete the rejected rows, the plan and the parts of an upload; not the records of rejected versions."""
        found = self._table.query(*keys.below(object_key, f"{upload}{keys.MARK}"))
        self._delete_all(item for item in found if not keys.is_rejected_version(item))

    def erase_upload(self, object_key: str, upload: str) -> None:
        """Delete everything about an upload and its versions; its record last of all."""
        self._delete_all(self._table.query(*keys.below(object_key, f"{upload}{keys.MARK}")))
        self.erase_record(object_key, upload)

    def erase_record(self, object_key: str, upload: str) -> None:
        """Delete the record of an upload, as if no delivery had begun."""
        self._table.delete(keys.key_of_entry(object_key, upload))

    def upload_of(self, version: ObjectVersion) -> str:
        """What the entries of a version begin with, if each is an upload of its own, also before its first delivery."""
        first, later = keys.Entries(version), keys.Entries(version, is_later=True)
        shared = records.FileRecord.of(self._table.get(keys.key_of(first)))
        is_own = shared.version_id == version.version_id
        is_free = not shared.status and not self._table.get(keys.key_of(later))
        return first.upload if is_own or is_free else later.upload

    def _delete_all(self, found: Iterable[dynamodb.Item]) -> None:
        self._table.delete_many({name: item[name] for name in FILES_KEY} for item in found)
