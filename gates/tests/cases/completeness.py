"""Templates that only CloudFormation can expand."""

from gates.tests.safe import GONE, Case, resource

INCLUDE = {"Name": "AWS::Include", "Parameters": {"Location": "s3://shared/queues.yaml"}}
LOOP = ["Name", {"Ref": "Names"}, {"Queue${Name}": resource("AWS::SQS::Queue")}]

VIOLATING: list[Case] = []

UNDECIDED: list[Case] = [
    ("template-complete", "included resources", {"/Resources.Fn::Transform": INCLUDE}),
    ("template-complete", "an included resource", {"/Resources.Extra": {"Fn::Transform": INCLUDE}}),
    ("template-complete", "an included property", {"Rows.Fn::Transform": INCLUDE}),
    ("template-complete", "an included map", {"/Mappings": {"Fn::Transform": INCLUDE}}),
    ("template-complete", "included sections", {"/Transform": [INCLUDE]}),
    ("template-complete", "a macro of the whole template", {"/Transform": "OurMacro"}),
    (
        "template-complete",
        "a loop over an unknown list",
        {"/Parameters.Names": {"Type": "CommaDelimitedList"}, "/Resources.Fn::ForEach::Queues": LOOP},
    ),
    (
        "template-complete",
        "an included condition",
        {"/Conditions.Fn::Transform": INCLUDE, "/Resources.Rows.Condition": "Included"},
    ),
    (
        "template-complete async-timeout async-failures-alarmed",
        "included properties of a function",
        {"Ingest.Fn::Transform": INCLUDE, "Ingest.Timeout": GONE},
    ),
]

COMPLIANT: list[Case] = [
    ("template-complete", "the language extensions", {"/Transform": ["AWS::LanguageExtensions"]}),
    (
        "template-complete",
        "a loop over a known list",
        {
            "/Transform": "AWS::LanguageExtensions",
            "/Resources.Fn::ForEach::Tables": ["Name", ["a", "b"], {"Table${Name}": resource("AWS::DynamoDB::Table")}],
        },
    ),
]
