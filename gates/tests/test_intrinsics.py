"""Which values are known before the deployment."""

from typing import Any

import pytest

from gates.template import InvalidTemplate, expanded
from gates.template.intrinsics import resolve

PARAMETERS = {
    "Name": {"Type": "String", "Default": "orders"},
    "Given": {"Type": "String"},
    "Arns": {"Type": "CommaDelimitedList", "Default": "a, b"},
    "Rest": {"Type": "String", "Default": "me"},
    "Stored": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/where/it/is"},
}
CONDITIONS = {
    "IsOrders": {"Fn::Equals": [{"Ref": "Name"}, "orders"]},
    "IsOther": {"Fn::Not": [{"Condition": "IsOrders"}]},
    "Both": {"Fn::And": [{"Condition": "IsOrders"}, {"Condition": "IsOther"}]},
    "Either": {"Fn::Or": [{"Condition": "IsOrders"}, {"Condition": "IsOther"}]},
    "Nested": {"Fn::And": [{"Condition": {"Condition": "IsOrders"}}, {"Condition": "Either"}]},
    "Here": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]},
}
MAPPINGS = {"Sizes": {"orders": {"memory": 512}}}


def resolved(value: Any) -> Any:
    resources = {"R": {"Type": "T", "Properties": {"value": value}}}
    template = {"Parameters": PARAMETERS, "Conditions": CONDITIONS, "Mappings": MAPPINGS, "Resources": resources}
    return resolve(template)["R"]["Properties"].get("value")


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ({"Ref": "Name"}, "orders"),
        ({"Ref": "Given"}, "${Given}"),
        ({"Ref": "Arns"}, ["a", "b"]),
        ({"Ref": "Stored"}, "${Stored}"),
        ({"Ref": "AWS::Region"}, "${AWS::Region}"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "${Queue.Arn}"),
        ({"Fn::GetAtt": "Queue.Arn"}, "${Queue.Arn}"),
        ({"Fn::Sub": "${Queue.Arn}/${Name}/${!Literal}"}, "${Queue.Arn}/orders/${Literal}"),
        ({"Fn::Sub": ["${Here}-${Name}", {"Here": {"Ref": "Given"}}]}, "${Given}-orders"),
        ({"Fn::Join": ["", ["arn:aws:s3:::", {"Ref": "Name"}, "/*"]]}, "arn:aws:s3:::orders/*"),
        ({"Fn::Select": ["1", {"Ref": "Arns"}]}, "b"),
        ({"Fn::Select": [0, {"Fn::Split": ["-", "a-b"]}]}, "a"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Name"}, "memory"]}, 512),
        ({"Fn::If": ["IsOrders", 1, 2]}, 1),
        ({"Fn::If": ["IsOther", 1, 2]}, 2),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"Fn::If": ["Here", 1, 2]}, 2),
        ({"Fn::If": ["IsOrders", {"Ref": "AWS::NoValue"}, 2]}, None),
        ([1, {"Ref": "AWS::NoValue"}, 2], [1, None, 2]),
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::NoValue"}, "b"]]}, "a-b"),
        ({"Fn::If": [{"Condition": "IsOrders"}, 1, 2]}, 1),
        ({"Fn::If": ["Nested", 1, 2]}, 1),
        ({"Ref": {"Fn::Sub": "Na${Rest}"}}, "orders"),
    ],
)
def test_a_function_is_resolved_as_far_as_possible(value: Any, known: Any) -> None:
    assert resolved(value) == known


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::ImportValue": "other-*"},
        {"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "memory"]},
        {"Fn::Select": [7, {"Ref": "Arns"}]},
        {"Fn::Split": [",", {"Ref": "Given"}]},
        {"Fn::Join": [",", {"Fn::GetAZs": "*"}]},
        "{{resolve:ssm:/queue/timeout:2}}",
        {"Fn::Sub": "{{resolve:ssm:/queue/timeout:2}}"},
        {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://a/b.yaml"}}},
    ],
)
def test_an_unknown_value_is_stable_text_without_syntax(value: Any) -> None:
    assert resolved(value) == resolved(value)
    assert resolved(value).startswith("${")
    assert not set(resolved(value)[2:-1]) & set("*?:/${}")


def test_a_resource_with_a_false_condition_is_left_out() -> None:
    resources: dict[str, Any] = {name: {"Type": "T", "Condition": name} for name in ("IsOrders", "IsOther")}
    resources["InBrackets"] = {"Type": "T", "Condition": {"Condition": "IsOrders"}}
    found = resolve({"Parameters": PARAMETERS, "Conditions": CONDITIONS, "Resources": resources})
    assert list(found) == ["IsOrders", "InBrackets"]


class TestLoop:
    """`Fn::ForEach` is expanded as far as its list is known."""

    def loop(self, values: Any, body: Any) -> Any:
        template = {"Parameters": PARAMETERS, "Resources": {"Fn::ForEach::Many": ["X", values, body]}}
        return expanded(template)["Resources"]

    def test_names_and_values_are_replaced(self) -> None:
        value = [{"Ref": "X"}, {"Fn::Sub": "${X}-${Name}"}, {"Fn::GetAtt": ["Queue${X}", "Arn"]}]
        body = {"Queue&{X}": {"Type": "T", "Properties": {"value": value, "name": "&{X}"}}}
        assert self.loop(["a-1", "b"], body) == {
            f"Queue{letters}": {
                "Type": "T",
                "Properties": {
                    "value": [of, {"Fn::Sub": f"{of}-${{Name}}"}, {"Fn::GetAtt": [f"Queue{of}", "Arn"]}],
                    "name": letters,
                },
            }
            for of, letters in [("a-1", "a1"), ("b", "b")]
        }

    def test_a_list_may_come_from_a_parameter(self) -> None:
        assert list(self.loop({"Ref": "Arns"}, {"Q${X}": {"Type": "T"}})) == ["Qa", "Qb"]

    def test_a_loop_may_be_inside_another(self) -> None:
        inner = {"Fn::ForEach::Inner": ["Y", ["1", {"Ref": "X"}], {"Q${X}${Y}": {"Type": "T"}}]}
        assert list(self.loop(["a", "b"], inner)) == ["Qa1", "Qaa", "Qb1", "Qbb"]

    @pytest.mark.parametrize("values", [{"Ref": "Given"}, [{"Ref": "Given"}], {"Fn::Split": [",", {"Ref": "Given"}]}])
    def test_over_an_unknown_list_stays(self, values: Any) -> None:
        assert list(self.loop(values, {"Q${X}": {"Type": "T"}})) == ["Fn::ForEach::Many"]

    @pytest.mark.parametrize("loop", [{}, ["X", ["a"]], ["X", ["a"], "body"]])
    def test_without_its_parts_is_invalid(self, loop: Any) -> None:
        with pytest.raises(InvalidTemplate, match="Fn::ForEach::Many is no list of"):
            expanded({"Resources": {"Fn::ForEach::Many": loop}})


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ([], "it has no Resources"),
        ({"Resources": []}, "it has no Resources"),
        ({"Resources": {"R": "x"}}, "the resource R has no Type"),
        ({"Resources": {"R": {"Type": "T", "Properties": {"x": {"Fn::Join": "x"}}}}}, 'Fn::Join cannot take "x"'),
    ],
)
def test_an_invalid_template_says_where_and_why(template: Any, message: str) -> None:
    with pytest.raises(InvalidTemplate) as error:
        resolve(template)
    assert str(error.value) == message
