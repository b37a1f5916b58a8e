"""FLAME parameters to vertices: linear blend skinning, reduced to the joint that speaks (paper Eq. 4).

Of the 413 parameters the paper's loss uses shape, expression and jaw; head rotation, neck and eyes are left at
zero. Then four of the five joints do not move anything, the jaw has no joint below it, and skinning becomes
``v + w (R - I)(v - j)`` with the jaw's weight w, rotation R and joint position j: exact, and without a 4 x 4
matrix for every vertex.

The FLAME model is licensed to its user and is not part of this project.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.annotation import FLAME_PARAMETER_COUNT
from backend.errors import UniTalkerError
from training.arrays import read_arrays
from training.geometry import Geometry

SHAPE_AND_EXPRESSION = slice(0, 400)
JAW = slice(400, 403)

_JAW_JOINT = 2
_PARENTS = (0, 1, 1, 1)
_ARRAYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights")
_CONVERSION_HINT = (
    "A .pkl runs whatever code is inside when it is opened, so it is not opened here. Convert it once, in the Python "
    "in which you use FLAME: m = pickle.load(open('flame.pkl', 'rb'), encoding='latin1'); "
    "a = lambda x: numpy.asarray(x.toarray() if hasattr(x, 'toarray') else x); "
    f"numpy.savez('flame.npz', **{{k: a(m[k]) for k in {_ARRAYS}}})"
)


class FlameGeometry(Geometry):
    """FLAME parameters (..., 413) to vertices (..., V, 3) in metres, in the head's own frame.

    The parameters are 300 shape, 100 expression, 3 jaw (axis times angle in radians), 6 rotation, 3 translation
    and 1 scale. The last ten do not enter, so their gradient is zero.
    """

    template: Tensor
    shape_offsets: Tensor
    jaw_correctives: Tensor
    jaw_joint_template: Tensor
    jaw_joint_offsets: Tensor
    jaw_weights: Tensor

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes the FLAME arrays under their own names, `load` says which."""
        super().__init__()
        _check_arrays(arrays)
        tensors = {name: torch.from_numpy(np.ascontiguousarray(arrays[name])).float() for name in _ARRAYS[:4]}
        regressor = tensors["J_regressor"][_JAW_JOINT]
        correctives = tensors["posedirs"][..., 9 * (_JAW_JOINT - 1) : 9 * _JAW_JOINT]
        self._keep("template", tensors["v_template"])
        self._keep("shape_offsets", tensors["shapedirs"])
        self._keep("jaw_correctives", correctives)
        self._keep("jaw_joint_template", regressor @ tensors["v_template"])
        self._keep("jaw_joint_offsets", torch.einsum("v,vck->ck", regressor, tensors["shapedirs"]))
        self._keep("jaw_weights", torch.from_numpy(arrays["weights"][:, _JAW_JOINT, None].astype(np.float32)))

    def _keep(self, name: str, tensor: Tensor) -> None:
        self.register_buffer(name, tensor.contiguous(), persistent=False)

    @classmethod
    def load(cls, path: Path) -> FlameGeometry:
        """Reads an ``.npz`` with the arrays of the FLAME model under FLAME's names.

        ``v_template`` (V, 3), ``shapedirs`` (V, 3, 400), ``posedirs`` (V, 3, 36), ``J_regressor`` (5, V),
        ``kintree_table`` (2, 5) and ``weights`` (V, 5).

        Raises:
            UniTalkerError: missing, unreadable, pickled, or not a FLAME model.
        """
        if path.suffix.lower() in (".pkl", ".pickle"):
            raise UniTalkerError("flame.pickle", f"{path} is a pickle, which FLAME is not read from.", _CONVERSION_HINT)
        return cls(read_arrays(path, _ARRAYS, "a FLAME model"))

    def forward(self, values: Tensor) -> Tensor:
        if values.shape[-1] != FLAME_PARAMETER_COUNT:
            raise ValueError(f"{values.shape[-1]} FLAME parameters, expected {FLAME_PARAMETER_COUNT}")
        betas = values[..., SHAPE_AND_EXPRESSION]
        turn = jaw_rotation(values[..., JAW]) - torch.eye(3, device=values.device, dtype=values.dtype)
        shaped = self.template + torch.einsum("...k,vck->...vc", betas, self.shape_offsets)
        posed = shaped + torch.einsum("...k,vck->...vc", turn.flatten(-2), self.jaw_correctives)
        joint = self.jaw_joint_template + torch.einsum("...k,ck->...c", betas, self.jaw_joint_offsets)
        lever = posed - joint[..., None, :]
        return posed + self.jaw_weights * torch.einsum("...rc,...vc->...vr", turn, lever)


def jaw_rotation(axis_angle: Tensor) -> Tensor:
    """Axis times angle in radians, (..., 3), to rotation matrices (..., 3, 3).

    Rodrigues' formula by way of sinc, so that value and gradient exist at rest, where the axis does not.
    """
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    rows = (torch.stack((zero, -z, y), -1), torch.stack((z, zero, -x), -1), torch.stack((-y, x, zero), -1))
    cross = torch.stack(rows, -2)
    # The square root alone has an infinite slope at zero.
    angle = (axis_angle.square().sum(-1) + 1e-16).sqrt()[..., None, None]
    identity = torch.eye(3, device=axis_angle.device, dtype=axis_angle.dtype)
    return (
        identity + torch.sinc(angle / torch.pi) * cross + 0.5 * torch.sinc(angle / (2 * torch.pi)) ** 2 * cross @ cross
    )


def _check_arrays(arrays: dict[str, np.ndarray]) -> None:
    vertices = len(arrays["v_template"])
    expected = {
        "v_template": (vertices, 3),
        "shapedirs": (vertices, 3, SHAPE_AND_EXPRESSION.stop),
        "posedirs": (vertices, 3, 36),
        "J_regressor": (5, vertices),
        "kintree_table": (2, 5),
        "weights": (vertices, 5),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise UniTalkerError(
                "flame.shape",
                f"This is no FLAME model: {name!r} has shape {arrays[name].shape}, expected {shape}.",
                "FLAME 2020 or later, with 300 shape and 100 expression components, is needed.",
            )
    parents = tuple(int(parent) for parent in arrays["kintree_table"][0, 1:])
    if parents != _PARENTS or not np.allclose(arrays["weights"].sum(1), 1, atol=1e-4):
        raise UniTalkerError(
            "flame.skeleton",
            f"This is no FLAME model: its joints have the parents {parents}, expected {_PARENTS}, "
            "with skinning weights that sum to 1.",
        )
