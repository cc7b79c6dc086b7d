"""What `voltair score` does."""

from pathlib import Path

import msgspec

from simulators.files import write_file
from simulators.score.ask import Api
from simulators.score.match import score
from simulators.score.show import picture, table
from simulators.truth import read_truth


def score_truth(
    truth_file: Path, *, api: str, token: str = "", json_file: Path | None = None, picture_file: Path | None = None
) -> str:
    """Compare what a running Voltair found with what really happened; return the table.

    Parameters
    ----------
    truth_file
        Written by `voltair simulate --truth`.
    api
        Address of the server.
    token
        Its bearer token; empty: none.
    json_file, picture_file
        Files for the score as JSON and as SVG.

    Raises
    ------
    VoltairError
        If the server does not answer or a file cannot be read or written.
    """
    truth = read_truth(truth_file)
    with Api(api, token) as connection:
        behind = connection.behind()
        found = score(truth, connection.alerts(truth), connection.key_figures(truth))
    if json_file is not None:
        write_file(json_file, msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    if picture_file is not None:
        write_file(picture_file, picture(found, truth.from_, truth.to).encode())
    late = f"\nnote: {behind} readings are not analysed yet; ask again when there are none" if behind else ""
    return table(found) + late

