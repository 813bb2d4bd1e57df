"""Checks of CloudFormation templates for what lets a pipeline of S3 and Lambda lose data, or lets others in.

`app.py` runs them at every `cdk synth`; `python -m stacks.gates TEMPLATE...` runs them on any template.
"""
