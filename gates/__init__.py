"""Policy checks of CloudFormation templates: what makes a pipeline of S3 and Lambda lose data, or exposes it.

`app.py` runs the checks at every `cdk synth`. `python -m gates TEMPLATE...` runs them on any template.

- `template/` reads a template: resources, what triggers which function, what roles may do.
- `rules/` holds the rules, one file a theme.
- `checks.py` applies the rules to a template; `plugin.py` and `__main__.py` report the findings.
"""
