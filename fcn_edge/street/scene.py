"""The things of one frame: which of them may be seen, in what order, and how they are drawn."""

import numpy as np

from fcn_edge.street.batch import MeshBatch, PanelBatch, RodsBatch
from fcn_edge.street.camera import Camera
from fcn_edge.street.kinds import BoolArray
from fcn_edge.street.ordering import far_to_near
from fcn_edge.street.path import Poses, Stretch
from fcn_edge.street.raster import Canvas
from fcn_edge.street.shapes import Mesh, Panel, Rods, Thing


class Scene:
    """Things placed before the camera.

    Args:
        things: What stands near the camera.
        stretch: The street around the camera.
        here: Meters along the street of the camera.
        lateral: Meters right of the center line of the camera.
        sight: Meters beyond which haze hides everything.

    Attributes:
        things: Those that are near enough to matter.
        poses: Where they stand.
        spans: (N, 2) meters (near, far) along the street that they cover.
        breadths: (N, 2) meters (left, right) of the center line that they cover.
        tall: (N,) heights in meters for their shadows.
    """

    def __init__(self, things: list[Thing], stretch: Stretch, here: float, lateral: float, sight: float) -> None:
        self.things = [t for t in things if t.span[1] > here + 0.5 and t.span[0] < here + min(t.reach, sight)]
        self._lateral = lateral
        self.spans = np.array([t.span for t in self.things]).reshape(-1, 2)
        self.breadths = np.array([t.breadth for t in self.things]).reshape(-1, 2)
        self.tall = np.array([t.tall for t in self.things])
        along = np.array([t.along for t in self.things])
        aside = np.array([t.lateral for t in self.things])
        poses = stretch.poses(along, aside, np.array([t.yaw for t in self.things]))
        turned = np.array([t.faces_camera for t in self.things], dtype=bool)
        cos, sin = np.where(turned, 1.0, poses.cos), np.where(turned, 0.0, poses.sin)
        self.poses = Poses(poses.right, poses.ahead, cos, sin)

    def draw(self, canvas: Canvas) -> None:
        """Draw all things so that near ones hide far ones."""
        shown = np.flatnonzero(self._in_view(canvas.camera)).tolist()
        things = [self.things[i] for i in shown]
        if not things:
            return
        table = np.stack([self.poses.right, self.poses.ahead, self.poses.cos, self.poses.sin], axis=1)[shown]
        meshes: list[Mesh] = []
        groups: list[Rods] = []
        panels: list[Panel] = []
        mesh_owners: list[int] = []
        group_owners: list[int] = []
        panel_owners: list[int] = []
        plans: list[list[tuple[int, int]]] = []
        for owner, thing in enumerate(things):
            plan = []
            for part in thing.parts:
                if isinstance(part, Mesh):
                    plan.append((0, len(meshes)))
                    meshes.append(part)
                    mesh_owners.append(owner)
                elif isinstance(part, Rods):
                    plan.append((1, len(groups)))
                    groups.append(part)
                    group_owners.append(owner)
                else:
                    plan.append((2, len(panels)))
                    panels.append(part)
                    panel_owners.append(owner)
            plans.append(plan)
        batches = (
            MeshBatch(canvas, meshes, table[mesh_owners]),
            RodsBatch(canvas, groups, table[group_owners]),
            PanelBatch(canvas, panels, table[panel_owners]),
        )
        for i in far_to_near(self.spans[shown], self.breadths[shown], self._lateral):
            for kind, index in plans[i]:
                batches[kind].draw(index)

    def _in_view(self, camera: Camera) -> BoolArray:
        """Which things are not wholly outside the left or right border of the view."""
        length = self.spans[:, 1] - self.spans[:, 0]
        breadth = self.breadths[:, 1] - self.breadths[:, 0]
        # A circle around the origin that holds the base and the crown.
        radius = np.hypot(length, breadth) + 0.45 * self.tall + 1.0
        slope = camera.width / 2 / camera.focal
        wide = np.abs(self.poses.right) - (self.poses.ahead + radius) * slope
        return np.asarray((wide < radius * np.hypot(1.0, slope)) & (self.poses.ahead > -radius))
