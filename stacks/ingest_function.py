"""The function that ingests uploads."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.acknowledged import acknowledge, wildcard_resource
from stacks.async_function import AsyncFunction
from stacks.contract import INGEST_HANDLER, IngestEnvironment
from stacks.permissions import allow, allow_key
from stacks.settings import Settings
from stacks.storage import Storage


class IngestFunction(AsyncFunction):
    """Reads uploads, writes their rows, and records in the files table what became of them."""

    def __init__(
        self, scope: Construct, id_: str, *, storage: Storage, failures: sqs.Queue, settings: Settings
    ) -> None:
        uploads = storage.uploads.arn_for_objects(f"{settings.key_prefix}*")
        super().__init__(
            scope,
            id_,
            handler=INGEST_HANDLER,
            description="Writes every row of an uploaded CSV file to DynamoDB exactly once.",
            environment=IngestEnvironment(
                UPLOAD_BUCKET=storage.uploads.bucket_name,
                ROWS_TABLE=storage.rows.table_name,
                FILES_TABLE=storage.files.table_name,
                FAILURE_QUEUE=failures.queue_url,
                ID_COLUMN=settings.id_column,
                DELIMITER=settings.delimiter,
                ENCODING=settings.encoding,
                MAX_FILE_MB=str(settings.max_file_mb),
            ),
            permissions=_permissions(storage, uploads),
            failures=failures,
            key=storage.key,
            settings=settings,
            timeout_seconds=settings.timeout_seconds,
            reserved_concurrency=settings.reserved_concurrency,
        )
        acknowledge(
            self.role,
            "The keys of uploads are not known in advance: the function may read any, by one action, in one bucket, "
            "below the key prefix.",
            wildcard_resource(self, uploads),
        )


def _permissions(storage: Storage, uploads: str) -> list[iam.PolicyStatement]:
    rows, files = storage.rows.table_arn, storage.files.table_arn
    return [
        allow(uploads, "s3:GetObjectVersion"),
        allow(rows, "dynamodb:PartiQLInsert", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"),
        allow(files, "dynamodb:PartiQLInsert", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        *allow_key(storage.key, "s3", "kms:Decrypt"),
        # The actions of the CDK's `Table.grant_read_write_data`, without its wildcards.
        *allow_key(
            storage.key,
            "dynamodb",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ),
    ]
