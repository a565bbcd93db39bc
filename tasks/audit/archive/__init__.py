"""Months of the audit trail that were moved out of the database, into signed files.

A month is three files: ``audit-2026-01.jsonl.gz`` with its rows, one a line, in the order of the chain;
``audit-2026-01.json``, the manifest, with where the month begins and ends in the chain and the SHA-256 of the
first file; and ``audit-2026-01.json.sig``, the Ed25519 signature of the manifest.

A signature rather than a keyed hash: whoever checks an archive needs the public key only, and could not make
one. The files are checked with what auditors have: ``openssl pkeyutl -verify``, ``sha256sum``, ``zcat``. A
line of the rows is the very text that `tasks.audit.chain` hashes, with the ``hash`` added.

The table ``audit_archives`` has the months that are archived. It decides: a month without a row there is not
archived, whatever files there are.
"""
