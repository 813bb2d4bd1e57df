"""`python -m gates` on files as people write them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gates.__main__ import main
from gates.tests.safe import GONE, SAFE, changed

SAM = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.9, Timeout: 30}
Resources:
  Uploads:
    Type: AWS::S3::Bucket
  Resize:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Policies: [S3CrudPolicy: {BucketName: !Sub "${AWS::StackName}-x"}]
      Events:
        Uploaded: {Type: S3, Properties: {Bucket: !Ref Uploads, Events: s3:ObjectCreated:Put}}
"""

APPLICATION = """
  Other:
    Type: AWS::Serverless::Application
    Properties:
      Location: {ApplicationId: "arn:aws:serverlessrepo:us-east-1:1:applications/x", SemanticVersion: 1.0.0}
"""


def gates(*arguments: Path | str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_template_without_findings_is_exit_code_0() -> None:
    done = gates(SAFE)
    assert (done.exit_code, done.output) == (0, "1 checked: 0 error, 0 warning, 0 acknowledged\n")


def test_a_finding_has_its_place_reason_and_fix(tmp_path: Path) -> None:
    text = SAFE.read_text().replace("      Timeout: 30\n", "")
    file = tmp_path / "template.yaml"
    file.write_text(text)
    line = text.splitlines().index("  Ingest:") + 1
    done = gates(SAFE, file)
    assert done.exit_code == 1
    assert done.output == (
        f"{file}:{line}: error async-timeout: Ingest Timeout: not set: 3 s\n"
        "    why: A function that times out midway is retried from the beginning, and times out again.\n"
        "    fix: Set Timeout to the time that the largest input needs.\n"
        "2 checked: 1 error, 0 warning, 0 acknowledged\n"
    )


def test_the_docs_show_a_real_report(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(
        "".join(line for line in SAFE.read_text().splitlines(keepends=True) if "DestinationConfig" not in line)
    )
    assert gates(file).output.replace(str(file), file.name) in (Path(__file__).parents[1] / "README.md").read_text()


def test_warnings_and_acknowledged_findings_are_exit_code_0(tmp_path: Path) -> None:
    template = changed({"Ingest.MemorySize": GONE, "Ingest.Runtime": "python9"})
    rules = [{"id": "gates::memory-explicit", "reason": "It runs once a year."}]
    template["Resources"]["Ingest"]["Metadata"] = {"cdk_nag": {"rules_to_suppress": rules}}
    file = tmp_path / "template.json"
    file.write_text(json.dumps(template, indent=1))
    done = gates(file)
    assert done.exit_code == 0
    assert "acknowledged memory-explicit: Ingest MemorySize: not set: 128 MB\n    because: It runs once a year." in (
        done.output
    )
    assert done.output.endswith("1 checked: 0 error, 1 warning, 1 acknowledged\n")
    rules[0]["reason"] = ""
    file.write_text(json.dumps(template))
    done = gates(file)
    assert done.exit_code == 1
    assert "note: it is acknowledged without a reason" in done.output


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"      CodeUri: src/\n": ""},  # `sam package` zips the folder of the template
        {"CodeUri: src/": "CodeUri:"},
        {"CodeUri: src/": 'InlineCode: "def handler(event, context): pass"'},
        {"Transform: AWS": "Transform:\n- AWS::LanguageExtensions\n- AWS", "Resize:": "Fn::Transform: M\n  Resize:"},
        {
            "Resources:\n": "Parameters: {Given: {Type: String}}\nResources:\n",
            "CodeUri: src/": "AutoPublishAlias: !Ref Given",
        },
        {"Resources:\n": f"Resources:\n{APPLICATION}"},
        {
            "Resources:\n": "Parameters: {Alias: {Type: String, Default: live}}\nResources:\n"
            "  Machine:\n    Type: AWS::Serverless::StateMachine\n    Properties:\n"
            "      Definition: {StartAt: A, States: {A: {Type: Pass, End: true}}}\n"
            "      AutoPublishAlias: !Ref Alias\n      Role: arn:aws:iam::123456789012:role/r\n",
        },
    ],
)
def test_a_sam_template_is_checked_as_cloudformation(changes: dict[str, str], tmp_path: Path) -> None:
    text = SAM
    for old, new in changes.items():
        text = text.replace(old, new)
    file = tmp_path / "template.yaml"
    file.write_text(text)
    begin, bucket = (text.splitlines().index(f"  {name}:") + 1 for name in ("Resize", "Uploads"))
    done = gates(file)
    assert done.exit_code == 1
    of_function = {line.split()[2] for line in done.output.splitlines() if line.startswith(f"{file}:{begin}: error")}
    assert of_function == {
        "async-retries:",
        "async-on-failure:",
        "async-reserved-concurrency:",
        "runtime-supported:",
        "log-retention:",
        "memory-explicit:",
        "s3-permission:",  # SAM names the account, but not the bucket
    }
    assert f"{file}:{bucket}: error s3-every-creation: Uploads" in done.output


LOOP = """
Resources:
  Fn::ForEach::Tables:
  - Name
  - [a, b]
  - Queue${Name}: {Type: AWS::SQS::Queue}
  Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://shared/x.yaml}}
"""


def test_a_loop_is_checked_and_an_include_is_not(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(LOOP)
    lines = gates(file).output.splitlines()
    assert [line for line in lines if line.startswith(str(file))] == [
        f"{file}:3: error queue-tls: Queuea QueuePolicy: plain HTTP is not denied",
        f"{file}:3: error queue-tls: Queueb QueuePolicy: plain HTTP is not denied",
        f"{file}:7: warning template-complete: Fn::Transform Resources: "
        "not checked: the resources that AWS::Include puts here",
    ]


def test_of_a_doubled_key_the_last_counts(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("Resources: {A: {Type: AWS::SQS::Queue, Type: AWS::SNS::Topic}}\n")
    assert gates(file).output == "1 checked: 0 error, 0 warning, 0 acknowledged\n"


def test_a_place_is_wrong_or_undecided_and_not_both(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(
        "Parameters: {Days: {Type: Number}}\n"
        "Conditions: {IsShort: !Equals [!Ref Days, 60]}\n"
        "Resources:\n"
        "  Q: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt D.Arn}}}\n"
        "  D: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: !Ref Days}}\n"
        "  T: {Type: AWS::SNS::Topic, Condition: IsShort}\n"
    )
    found = [line for line in gates(file).output.splitlines() if "dead-letter-retention" in line]
    assert len(found) == 1
    assert "error dead-letter-retention: D MessageRetentionPeriod" in found[0]


def test_a_calculated_condition_names_its_parameters(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    name = "!Join ['', [!Ref Name]]"
    file.write_text(
        "Parameters: {Name: {Type: String, Default: ''}}\n"
        f"Conditions: {{HasName: !Not [!Equals [{name}, '']]}}\n"
        "Resources: {Q: {Type: AWS::SQS::Queue, Condition: HasName}}\n"
    )
    assert "plain HTTP is not denied (with another Name)" in gates(file).output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Resources:\n  A: [1\n", "line 3: "),
        ("just words", "it is no mapping"),
        ("Outputs: {}\n", "it has no Resources"),
        (
            SAM.replace("      Handler: app.handler\n", ""),
            "SAM cannot translate it: Resource with id [Resize] is invalid",
        ),
        (
            SAM.replace("CodeUri: src/", "AutoPublishAlias: {Ref: []}"),
            "SAM cannot translate it: Resource with id [Resize]",
        ),
        ("Resources: {'Fn::ForEach::Many': [X]}\n", "Fn::ForEach::Many is no list of an identifier"),
    ],
)
def test_an_invalid_template_is_exit_code_2(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(content)
    done = gates(file, SAFE)
    assert done.exit_code == 2
    assert f"{file}: cannot be checked: {message}" in done.output
    assert "2 checked: 0 error" in done.output, "the other file was not"


def test_a_missing_file_is_exit_code_2(tmp_path: Path) -> None:
    done = gates(tmp_path / "nothing.yaml")
    assert done.exit_code == 2
    assert "nothing.yaml' does not exist" in done.output


def test_help_has_an_example() -> None:
    done = gates("--help")
    assert done.exit_code == 0
    assert "Example: python -m gates cdk.out/*.template.json" in done.output
