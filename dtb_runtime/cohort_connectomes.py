"""Connectomes of the people of a cohort: read, spoken of without names, and freed of their site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .connectome import Connectome
from .connectome_file import read_connectome
from .errors import ConnectomeError, UsageError
from .hidden_names import unnamed

if TYPE_CHECKING:
    from .bundle import Bundle
    from .cohort_entry import CohortEntry
    from .harmonization import Harmonization
    from .harmonization_file import HarmonizationFile
    from .reading import Reading


class CohortConnectomes:
    """Reads one person's connectome after another.

    Parameters
    ----------
    bundle : Bundle
        Whose regions harmonized connectomes have.
    reading : Reading
        How the files are read.
    harmonization : HarmonizationFile, optional
        What sites do to connectomes, which is taken off; without, it stays.

    Raises
    ------
    UsageError
        Site effects with a bundle that does not take connectomes.
    CohortError
        The file of site effects is damaged, has changed, or is of other regions.
    """

    def __init__(
        self, bundle: Bundle, reading: Reading, harmonization: HarmonizationFile | None = None
    ) -> None:
        self._reading = reading
        self._parcellation = bundle.manifest.parcellation
        self._harmonization: Harmonization | None = None
        if harmonization is not None:
            if self._parcellation is None:
                raise UsageError(
                    f"Bundle {bundle.name!r} does not take connectomes, so there is nothing to "
                    "harmonize. Leave out --harmonize."
                )
            self._harmonization = harmonization.read()
            self._harmonization.check_regions(self._parcellation.labels, self._parcellation.name)

    def read(self, entry: CohortEntry) -> Connectome:
        """A person's connectome.

        Raises
        ------
        UsageError
            It is not known which file is meant, or who the person is.
        ConnectomeError
            There is no file, it cannot be read, or its site is not known.
        MissingDependencyError
            The package that reads its format is not installed.
        """
        if entry.problem is not None:
            raise UsageError(entry.problem)
        if entry.path is None:
            raise ConnectomeError("There is no file.")
        found = unnamed(read_connectome(entry.path, self._reading), entry)
        if self._harmonization is None or self._parcellation is None:
            return found
        # Before regions without data are filled in: what fills them comes from no site.
        aligned = found.aligned(self._parcellation.labels, self._parcellation.name)
        return self._harmonization.applied(aligned, entry.own)
