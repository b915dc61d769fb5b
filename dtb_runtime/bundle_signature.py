"""Who made a bundle: signatures with elliptic-curve keys, made and verified without a network.

Digests tell that a bundle is whole, not whose it is: whoever changes a bundle can write new ones. A
signature is a file beside the folder, in the format of the OpenSSF's model signing, whose own
command verifies it as well: ``model_signing verify key DIR --signature DIR.sig --public_key PEM``.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from .atomic import check_free, write_files
from .bundle_files import read_bundle_files
from .bundle_layout import MANIFEST_FILE
from .errors import BundleError, MissingDependencyError
from .tables import check_is_file, one_line

SIGNATURE_ENDING = ".sig"
"""Added to the folder's name. In the folder it would be a file that the manifest does not have."""
MAX_SIGNATURE_BYTES = 2**20
MAX_KEY_BYTES = 2**16
_MAX_SHOWN = 200  # characters of what the library says
_KEYS = (
    "expected one of the curve P-256, P-384 or P-521 as PEM, not encrypted. Make a pair with: "
    "openssl ecparam -name prime256v1 -genkey -noout -out private.pem && openssl ec -in "
    "private.pem -pubout -out public.pem"
)


def signature_path(folder: Path) -> Path:
    """Where a bundle's signature lies unless somebody says otherwise: ``my_bundle.sig``."""
    folder = folder.resolve()  # "." has no name
    return folder.with_name(f"{folder.name}{SIGNATURE_ENDING}")


def sign_bundle(
    folder: Path, private_key: Path, signature: Path | None = None, *, force: bool = False
) -> Path:
    """Sign a bundle.

    Parameters
    ----------
    folder : pathlib.Path
        A bundle, which is verified first.
    private_key : pathlib.Path
        PEM file of an elliptic-curve key, not encrypted.
    signature : pathlib.Path, optional
        File to write; by default `signature_path`.
    force : bool
        Replace it if it is there.

    Returns
    -------
    pathlib.Path
        The signature.

    Raises
    ------
    BundleError
        It is no bundle, or there is no such key.
    OutputError
        The signature is there already, or cannot be written.
    MissingDependencyError
        The package model-signing is not installed.
    """
    library = _model_signing()
    target = signature_path(folder) if signature is None else signature
    check_free(target.parent, [target.name], force=force)
    read_bundle_files(folder)
    signing = library.signing.Config().set_hashing_config(_hashing(library))
    place = _checked_file(private_key, MAX_KEY_BYTES)
    try:
        signing.use_elliptic_key_signer(private_key=private_key)
    except Exception as cause:  # of cryptography: ValueError, TypeError, UnsupportedAlgorithm ...
        raise BundleError(f"{place} is no private key for this: {_KEYS}.") from cause
    with tempfile.TemporaryDirectory(prefix="dtb-") as temporary:
        made = Path(temporary, target.name)
        try:
            signing.sign(folder.resolve(), made)
        except Exception as cause:
            raise BundleError(
                f"{one_line(str(folder))} was not signed ({_said(cause)}). Check that nothing "
                "writes into it meanwhile."
            ) from cause
        content = made.read_bytes()
    write_files(target.parent, {target.name: content}, force=force)
    return target


def verify_bundle(
    folder: Path, digest: str, public_key: Path, signature: Path | None = None
) -> str:
    """See that a bundle is the one that the owner of a key signed.

    Parameters
    ----------
    folder : pathlib.Path
    digest : str
        `Bundle.digest` of the bundle as it was read, which the signature must have as well.
    public_key : pathlib.Path
        PEM file.
    signature : pathlib.Path, optional
        By default `signature_path`.

    Returns
    -------
    str
        SHA-256 of the public key, as hexadecimal text.

    Raises
    ------
    BundleError
        There is no signature; it is of another key or of another content; there is no such key.
    MissingDependencyError
        The package model-signing is not installed.
    """
    library = _model_signing()
    target = signature_path(folder) if signature is None else signature
    key_place = _checked_file(public_key, MAX_KEY_BYTES)
    try:
        verifying = library.verifying.Config().use_elliptic_key_verifier(public_key=public_key)
    except Exception as cause:  # of cryptography: ValueError, TypeError, UnsupportedAlgorithm ...
        raise BundleError(f"{key_place} is no public key for this: {_KEYS}.") from cause
    if not os.path.lexists(target):
        raise BundleError(
            f"There is no signature at {one_line(str(target))}, so nothing says whose bundle this "
            "is. Say where it is with --signature, or ask whoever made the bundle for one."
        )
    place = _checked_file(target, MAX_SIGNATURE_BYTES)
    fingerprint, signed, data = _read(target, place)
    verifying.set_hashing_config(_hashing(library))
    try:
        # The library takes a file only, and the one at that place may be another one by now.
        with tempfile.TemporaryDirectory() as own:
            read = Path(own) / "signature.json"
            read.write_bytes(data)
            verifying.verify(folder.resolve(), read)
    except Exception as cause:  # ValueError, cryptography's InvalidSignature, pydantic's errors ...
        raise _not_signed(folder, place, key_place, _said(cause)) from cause
    # What was read is what is used, and the manifest's digest stands for every file of a bundle.
    if signed != digest:
        raise _not_signed(folder, place, key_place, f"it is of another {MANIFEST_FILE}")
    return fingerprint


def _not_signed(folder: Path, place: str, key: str, why: str) -> BundleError:
    return BundleError(
        f"{one_line(str(folder))} is not what the owner of {key} signed: {place} does not fit "
        f"({why}). Do not use this bundle; get bundle, signature and public key from whoever made "
        "it."
    )


def _checked_file(path: Path, most: int) -> str:
    """The path for messages, after seeing that it is a file that is not too long."""
    check_is_file(path, BundleError)
    place = one_line(str(path))
    if path.stat().st_size > most:
        raise BundleError(
            f"{place} is larger than the {most} bytes that it may have. Check that this is the "
            "file you meant."
        )
    return place


def _read(path: Path, place: str) -> tuple[str, str, bytes]:
    """What a signature says: the key's SHA-256, and that of the manifest; not verified yet. And its
    bytes, of which this was read.
    """
    try:
        data = path.read_bytes()
        document = json.loads(data)
        fingerprint = document["verificationMaterial"]["publicKey"]["hint"]
        statement = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
        digests = {each["name"]: each["digest"] for each in statement["predicate"]["resources"]}
        signed = digests[MANIFEST_FILE]
        if not isinstance(fingerprint, str) or not fingerprint.strip():
            raise LookupError("the key has no name")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as cause:
        raise BundleError(
            f"{place} is no signature of a bundle. Give the file that dtb-run sign wrote."
        ) from cause
    return one_line(fingerprint)[:_MAX_SHOWN], str(signed), data


def _hashing(library: ModuleType) -> Any:
    """Every file counts, also those that belong to git."""
    return library.hashing.Config().set_ignored_paths(paths=(), ignore_git_paths=False)


def _said(cause: BaseException) -> str:
    text = one_line(str(cause).strip() or type(cause).__name__)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _model_signing() -> ModuleType:
    try:
        import model_signing
    except ImportError as cause:
        raise MissingDependencyError(
            f"Signing and verifying bundles needs model-signing ({cause}). Install it with: pip "
            "install 'dtb-runtime[signing]'."
        ) from cause
    module: ModuleType = model_signing
    return module
