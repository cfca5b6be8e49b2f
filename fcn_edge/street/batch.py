"""Brings the shapes of all things of a frame to pixels at once, then draws them one by one.

A frame has some hundred small shapes. Projecting each by itself would spend most of the time on
the cost of calling NumPy, so shapes of a kind are joined into one array first.
"""

import numpy as np

from fcn_edge.street.kinds import FloatArray
from fcn_edge.street.raster import Canvas, fixed, outside
from fcn_edge.street.shapes import Mesh, Panel, Rods

# A bar is an octagon: half circles of four corners around both of its ends.
_CAP = np.linspace(-np.pi / 2, np.pi / 2, 4)
_CAP_COS, _CAP_SIN = np.cos(_CAP)[None, :, None], np.sin(_CAP)[None, :, None]
# Bars and people are lit as if half of the sun reached them from wherever it stands.
_ROUND = 0.55
# Faces and bars with a smaller radius in pixels are left out.
_FINEST = 1.0


class MeshBatch:
    """Meshes with their poses, (N, 4) rows of right, ahead, cosine and sine."""

    def __init__(self, canvas: Canvas, meshes: list[Mesh], poses: FloatArray) -> None:
        self._canvas = canvas
        if not meshes:
            return
        camera, light = canvas.camera, canvas.light
        corner_counts = [len(m.vertices) for m in meshes]
        face_counts = [len(m.normals) for m in meshes]
        self._first_corner = np.concatenate([[0], np.cumsum(corner_counts)]).tolist()
        self._first_face = np.concatenate([[0], np.cumsum(face_counts)]).tolist()
        self._meshes = meshes
        corners = _placed(np.concatenate([m.vertices for m in meshes]), poses.repeat(corner_counts, axis=0))
        corners[:, 1] -= camera.eye
        self._corners = corners
        starts = self._first_corner[:-1]
        self._cut = (np.minimum.reduceat(corners[:, 2], starts) < camera.near).tolist()
        ahead = corners.copy()
        np.maximum(ahead[:, 2], camera.near, out=ahead[:, 2])
        pixels = camera.project(ahead)
        low, high = np.minimum.reduceat(pixels, starts), np.maximum.reduceat(pixels, starts)
        missed = outside(camera, low, high)
        missed |= np.maximum.reduceat(corners[:, 2], starts) < camera.near
        self._pixels = fixed(pixels)
        owners = poses.repeat(face_counts, axis=0)
        centers = _placed(np.concatenate([m.centers for m in meshes]), owners)
        centers[:, 1] -= camera.eye
        turn = owners.copy()
        turn[:, :2] = 0.0
        normals = _placed(np.concatenate([m.normals for m in meshes]), turn)
        depth = centers[:, 2]
        # Zero normals give zero here, so faces without a front always pass.
        seen = (normals * centers).sum(axis=1) <= 0
        radii = np.concatenate([m.radii for m in meshes])
        seen &= radii * camera.focal > _FINEST * depth
        seen &= ~missed.repeat(face_counts)
        self._seen = seen.tolist()
        glow = np.concatenate([m.glow for m in meshes])[:, None]
        gain = light.gain(normals)
        gain = gain * (1 - glow) + glow * np.maximum(light.lamps * 1.6, gain)
        colors = np.concatenate([m.colors for m in meshes])
        self._colors = light.seen(colors, gain, depth).tolist()

    def draw(self, index: int) -> None:
        """Draw the faces of one mesh that look at the camera."""
        mesh, canvas = self._meshes[index], self._canvas
        face, corner = self._first_face[index], self._first_corner[index]
        cut, camera = self._cut[index], canvas.camera
        for i, label in enumerate(mesh.labels):
            if not self._seen[face + i]:
                continue
            start, end = corner + mesh.starts[i], corner + mesh.starts[i + 1]
            if not cut:
                canvas.polygon(self._pixels[start:end], self._colors[face + i], label)
                continue
            polygon = camera.clip(self._corners[start:end])
            if len(polygon) > 2:
                pixels = fixed(camera.project(polygon))
                canvas.polygon(pixels, self._colors[face + i], label)


class RodsBatch:
    """Groups of bars with their poses, (N, 4) rows of right, ahead, cosine and sine."""

    def __init__(self, canvas: Canvas, groups: list[Rods], poses: FloatArray) -> None:
        self._canvas = canvas
        if not groups:
            return
        camera, light = canvas.camera, canvas.light
        counts = [len(g.labels) for g in groups]
        self._first = np.concatenate([[0], np.cumsum(counts)]).tolist()
        ends = np.concatenate([g.ends for g in groups])
        joints = _placed(ends.reshape(-1, 3), poses.repeat([2 * c for c in counts], axis=0))
        joints[:, 1] -= camera.eye
        depth = joints[:, 2].reshape(-1, 2).copy()
        starts = self._first[:-1]
        hidden = np.minimum.reduceat(depth.min(axis=1), starts) < camera.near
        np.maximum(joints[:, 2], camera.near, out=joints[:, 2])
        pixels = camera.project(joints).reshape(-1, 2, 2)
        # Bars thinner than half a pixel would leave gaps in the image.
        radii = np.concatenate([g.radii for g in groups])
        radii = np.maximum(radii * camera.focal / np.maximum(depth, camera.near), 0.3)
        course = pixels[:, 1] - pixels[:, 0]
        length = np.sqrt((course**2).sum(axis=1))
        course /= np.maximum(length, 1e-6)[:, None]
        course[length < 1e-6] = (1.0, 0.0)
        aside = np.stack([-course[:, 1], course[:, 0]], axis=1)[:, None]
        course = course[:, None]
        # The outline runs round the far end and back round the near end.
        forward = _CAP_COS * course + _CAP_SIN * aside
        outlines = np.concatenate(
            [
                pixels[:, :1] - forward * radii[:, :1, None],
                pixels[:, 1:] + forward * radii[:, 1:, None],
            ],
            axis=1,
        )
        low = np.minimum.reduceat(outlines.min(axis=1), starts)
        high = np.maximum.reduceat(outlines.max(axis=1), starts)
        self._hidden = (hidden | outside(camera, low, high)).tolist()
        self._outlines = fixed(outlines)
        middle = depth.mean(axis=1)
        gain = np.broadcast_to(light.ambient + _ROUND * light.direct, (len(middle), 3))
        colors = np.concatenate([g.colors for g in groups])
        self._colors = light.seen(colors, gain, middle).tolist()
        # Where a group asks for it, its farthest bars come first.
        groups_of = np.arange(len(groups)).repeat(counts)
        sorts = np.array([g.sort for g in groups]).repeat(counts)
        place = np.where(sorts, -middle, np.arange(len(middle)))
        order = np.lexsort((place, groups_of))
        fine = (length + radii.max(axis=1) < 2 * _FINEST)[order]
        self._order = order.tolist()
        self._fine = fine.tolist()
        self._labels = [label for g in groups for label in g.labels]

    def draw(self, index: int) -> None:
        """Draw one group of bars."""
        if self._hidden[index]:
            return
        for i in range(self._first[index], self._first[index + 1]):
            if not self._fine[i]:
                at = self._order[i]
                self._canvas.polygon(self._outlines[at], self._colors[at], self._labels[at])


class PanelBatch:
    """Panels with their poses, (N, 4) rows of right, ahead, cosine and sine."""

    def __init__(self, canvas: Canvas, panels: list[Panel], poses: FloatArray) -> None:
        self._canvas = canvas
        if not panels:
            return
        self._panels = panels
        camera, light = canvas.camera, canvas.light
        near = camera.near
        start = _placed(np.array([p.start for p in panels]), poses)
        end = _placed(np.array([p.end for p in panels]), poses)
        across = end - start
        # An upright rectangle meets the near plane in an upright line: cut its width there.
        slope = np.where(np.abs(across[:, 2]) < 1e-9, 1e-9, across[:, 2])
        meets = (near - start[:, 2]) / slope
        behind_start, behind_end = start[:, 2] < near, end[:, 2] < near
        first = np.where(behind_start, np.clip(meets, 0, 1), 0.0)[:, None]
        last = np.where(behind_end, np.clip(meets, 0, 1), 1.0)[:, None]
        start, end = start + first * across, start + last * across
        np.maximum(start[:, 2], near, out=start[:, 2])
        np.maximum(end[:, 2], near, out=end[:, 2])
        rise = np.zeros(start.shape)
        rise[:, 1] = [p.height for p in panels]
        corners = np.stack([start + rise, end + rise, end, start], axis=1)
        corners[:, :, 1] -= camera.eye
        quads = camera.project(corners.reshape(-1, 3)).reshape(-1, 4, 2)
        billboard = np.array([p.billboard for p in panels])
        normals = np.stack([across[:, 2], np.zeros(len(across)), -across[:, 0]], axis=1)
        normals /= np.maximum(np.sqrt((normals**2).sum(axis=1)), 1e-9)[:, None]
        gain = light.gain(normals)
        gain[billboard] = light.ambient + _ROUND * light.direct
        depth = (start[:, 2] + end[:, 2]) / 2
        clear = light.clear(depth)[:, None]
        factor = gain * np.array([p.tint for p in panels]) * clear
        shades = np.zeros((len(panels), 3, 4))
        for channel in range(3):
            shades[:, channel, channel] = factor[:, channel]
        shades[:, :, 3] = light.haze * (1 - clear)
        hidden = (behind_start & behind_end) | outside(camera, quads.min(axis=1), quads.max(axis=1))
        # The front is where the start is on the left.
        hidden |= ~billboard & (quads[:, 0, 0] >= quads[:, 1, 0])
        self._hidden = hidden.tolist()
        self._quads, self._shades = quads, shades
        self._shares = np.concatenate([first, last], axis=1).tolist()

    def draw(self, index: int) -> None:
        """Draw one panel, if its front is seen."""
        if self._hidden[index]:
            return
        panel = self._panels[index]
        shown = (self._shares[index][0], self._shares[index][1])
        self._canvas.picture(panel.texture, self._quads[index], shown, self._shades[index], panel.label, panel.solid)


def _placed(points: FloatArray, poses: FloatArray) -> FloatArray:
    """Turn and move points (N, 3) by one pose each (N, 4), leaving their height."""
    right, ahead, cos, sin = poses.T
    placed = np.empty(points.shape)
    placed[:, 0] = points[:, 0] * cos + points[:, 2] * sin + right
    placed[:, 1] = points[:, 1]
    placed[:, 2] = points[:, 2] * cos - points[:, 0] * sin + ahead
    return placed
