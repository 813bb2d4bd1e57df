"""Before anything is uploaded: the account, the bucket, and what may be done by whom."""

import json
from typing import Any

import boto3

from csv_ingest.model import FILE_EXPIRES_AT, ROW_EXPIRES_AT, ItemsNotRead
from csv_ingest.queues import LIVE

from .. import schema_check
from ..feed import DeployedFeed
from ..wording import counted
from .report import Failed, Skipped
from .trial import Trial

LEAST_BOOTSTRAP = 6
"""With the bucket for assets that a deployment of today needs: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html"""

FEW = 10
"""Concurrent executions of an account that is new: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


def concurrency(trial: Trial) -> str:
    """Each feed has the concurrency that its settings reserve, and the account has some left."""
    lambda_ = trial.pipeline.clients.lambda_
    for feed in trial.pipeline.feeds:
        wanted = feed.settings.reserved_concurrency
        found = lambda_.get_function_concurrency(FunctionName=feed.function).get("ReservedConcurrentExecutions")
        if found == 0:
            if feed is not trial.feed:
                continue  # it can be meant
            raise Failed(f"the feed {feed.name} is paused: end that by `csv-ingest resume --feed {feed.name}`")
        if found != wanted and not trial.is_local:
            raise Failed(f"the feed {feed.name} reserves {found} deliveries at once, its settings say {wanted}: deploy")
    limit = lambda_.get_account_settings()["AccountLimit"]
    left = limit["UnreservedConcurrentExecutions"]
    if left < FEW:
        raise Failed(
            f"{left} of {limit['ConcurrentExecutions']} executions at once are left for functions that reserve none: "
            "ask AWS for more (Service Quotas, Lambda, Concurrent executions), or lower reserved_concurrency"
        )
    return f"{limit['ConcurrentExecutions']:,} at once in this account, {left:,} of them unreserved"


def bootstrap(trial: Trial) -> str:
    """The bootstrap stack of the CDK is of a version that the template needs."""
    template: Any = boto3.client("cloudformation").get_template(StackName=trial.pipeline.stack)["TemplateBody"]
    parsed = template if isinstance(template, dict) else json.loads(template)
    if not (parameter := parsed.get("Parameters", {}).get("BootstrapVersion")):
        raise Skipped("the template asks for no version: it was synthesized with another synthesizer")
    version = int(boto3.client("ssm").get_parameter(Name=parameter["Default"])["Parameter"]["Value"])
    if version < LEAST_BOOTSTRAP:
        raise Failed(f"the bootstrap stack has version {version}, and {LEAST_BOOTSTRAP} is needed: run `cdk bootstrap`")
    return f"version {version}"


def versioning(trial: Trial) -> str:
    """The bucket keeps versions: a delivery reads the one that it is about."""
    bucket = trial.pipeline.upload_bucket
    status = trial.pipeline.clients.s3.get_bucket_versioning(Bucket=bucket).get("Status", "never enabled")
    if status != "Enabled":
        raise Failed(
            f"versioning of {bucket} is {status}, so that an upload can replace one that is being read: run `aws s3api "
            f"put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled`"
        )
    return ""


def notifications(trial: Trial) -> str:
    """The bucket tells the function of each feed of what the feed takes."""
    found: Any = trial.pipeline.clients.s3.get_bucket_notification_configuration(Bucket=trial.pipeline.upload_bucket)
    told = {_of_configuration(each) for each in found.get("LambdaFunctionConfigurations", [])}
    for feed in trial.pipeline.feeds:
        if not feed.settings.is_notified:
            if "EventBridgeConfiguration" not in found:
                raise Failed(
                    f"the feed {feed.name} has trigger=eventbridge, and the bucket sends nothing there: its owner has "
                    "to switch Amazon EventBridge on, in the properties of the bucket"
                )
        elif missing := [suffix for suffix in feed.settings.key_suffixes if _rule(feed, suffix) not in told]:
            raise Failed(
                f"the bucket does not notify the feed {feed.name} of {feed.settings.key_prefix}*{missing[0]}: somebody "
                "has replaced its notifications: deploy again, then `csv-ingest backfill`"
            )
    return f"{len(told)} of functions"


Rule = tuple[str, str, str]
"""The alias, the prefix and the suffix of a notification."""


def _rule(feed: DeployedFeed, suffix: str) -> Rule:
    return f"{feed.function}:{LIVE}", feed.settings.key_prefix, suffix


def _of_configuration(configured: Any) -> Rule:
    given = configured.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    rules = {each["Name"].lower(): each["Value"] for each in given}
    function = configured["LambdaFunctionArn"].partition(":function:")[2]
    return function, rules.get("prefix", ""), rules.get("suffix", "")


def key(trial: Trial) -> str:
    """The bucket's own key can be used, and the account's policies decide who may."""
    bucket = trial.pipeline.upload_bucket
    found = trial.pipeline.clients.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    name = found["Rules"][0].get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
    if not name:
        raise Skipped("the bucket has no key of its own")
    kms = boto3.client("kms")
    described = kms.describe_key(KeyId=name)["KeyMetadata"]
    state, arn = described["KeyState"], described["Arn"]
    if state != "Enabled":
        raise Failed(f"the key {name} is {state}, so that nothing can be read or written: enable it in KMS")
    if arn.split(":")[4] != boto3.client("sts").get_caller_identity()["Account"]:
        raise Skipped(f"the key {arn} is of another account: the files show who may use it")
    if ":root" not in kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]:
        raise Skipped(f"the policy of the key {arn} names who may use it: the files show whether the functions may")
    return ""


def roles(trial: Trial) -> str:
    """The function of each feed may do what it does, and nothing to other prefixes and tables."""
    simulated = 0
    for feed in trial.pipeline.feeds:
        for action, resource, is_allowed in _permissions(trial, feed):
            simulated += 1
            decision = _decision(feed, action, resource)
            if (decision == "allowed") is not is_allowed:
                may = "may not" if is_allowed else "may"
                raise Failed(
                    f"the role of the feed {feed.name} {may} {action} on {resource} (IAM: {decision}): a permissions "
                    "boundary, a policy of the organization or a change by hand: look at the role, or deploy again"
                )
    return f"{simulated} permissions simulated"


def _decision(feed: DeployedFeed, action: str, resource: str) -> str:
    answer = boto3.client("iam").simulate_principal_policy(
        PolicySourceArn=feed.role, ActionNames=[action], ResourceArns=[resource]
    )
    return str(answer["EvaluationResults"][0]["EvalDecision"])


def _permissions(trial: Trial, feed: DeployedFeed) -> list[tuple[str, str, bool]]:
    """Actions and resources, and whether the role of a feed may do that."""
    pipeline = trial.pipeline
    _, partition, _, region, account, *_ = feed.arn.split(":")
    of_tables = f"arn:{partition}:dynamodb:{region}:{account}:table"
    bucket, prefix = f"arn:{partition}:s3:::{pipeline.upload_bucket}", feed.settings.key_prefix
    files, rows = f"{of_tables}/{pipeline.files_table}", f"{of_tables}/{feed.rows_table}"
    found = [
        ("s3:GetObjectVersion", f"{bucket}/{prefix}a.csv", True),
        ("s3:PutObject", f"{bucket}/{prefix}a.csv", False),
        ("s3:DeleteObjectVersion", f"{bucket}/{prefix}a.csv", False),
        *((action, files, True) for action in ("dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PartiQLInsert")),
        ("dynamodb:DeleteItem", files, False),
        ("dynamodb:PartiQLInsert", f"{of_tables}/another-table", False),
    ]
    if prefix:
        found.append(("s3:GetObjectVersion", f"{bucket}/another-prefix/a.csv", False))
    if not feed.settings.is_postgresql:
        found += [(action, rows, True) for action in ("dynamodb:PartiQLInsert", "dynamodb:BatchGetItem")]
        found += [("dynamodb:DeleteItem", rows, False)]
    return found


def expiry(trial: Trial) -> str:
    """The tables in DynamoDB delete what expires, if anything is to."""
    feeds = [each for each in trial.pipeline.feeds if each.settings.keep_rows_days and not each.settings.is_postgresql]
    tables = {feed.rows_table: ROW_EXPIRES_AT for feed in feeds}
    tables |= {trial.pipeline.files_table: FILE_EXPIRES_AT} if trial.feed.config.keep_files_days else {}
    if not tables:
        raise Skipped("no table is to delete anything: neither keep_rows_days nor keep_files_days is set")
    for table, attribute in tables.items():
        found = trial.pipeline.clients.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        if found.get("AttributeName") != attribute or found["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
            if trial.is_local:
                raise Skipped("MiniStack's CloudFormation turns no time to live on")
            raise Failed(
                f"the table {table} deletes nothing that has expired: deploy again or, if it is the rows_table of "
                f"yours, run `aws dynamodb update-time-to-live --table-name {table} --time-to-live-specification "
                f"Enabled=true,AttributeName={attribute}`"
            )
    return counted(len(tables), "table")


def schema(trial: Trial) -> str:
    """The tables of a PostgreSQL feed are as they have to be, seen from here; the files show what the function sees."""
    if not trial.feed.settings.is_postgresql:
        raise Skipped("the rows of the feed are in DynamoDB")
    try:
        checked = schema_check.check_schema(trial.feed.config, trial.feed.database_address)
    except ItemsNotRead as error:
        raise Failed(
            f"{error}: open a tunnel to the database, and set PGHOSTADDR and PGPORT to its near end: the rows that are "
            "uploaded have to be compared, and deleted, from here"
        ) from error
    if checked.problems:
        raise Failed(checked.problems[0])
    return ""
