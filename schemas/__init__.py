"""The contract of Heard: everything that travels between its machines.

A message class owns its topic, its quality of service, its retain flag and its
payload. From the catalogue of those classes follow the topics, the access rules,
the AsyncAPI document, the JSON Schemas and the TypeScript types.
"""
