//! Proofs that somebody may do something. Their fields are written by `Access` alone.

use shared::id::UserId;
use shared::time::WallTime;

use super::AccessError;
use super::actor::Actor;
use crate::domain::access::{Decision, Deed, Object, Permissions};
use crate::domain::audit::{Entry, Origin, What, Who};
use crate::domain::camera::Camera;
use crate::domain::playback::Playback;

/// That an actor may do a deed to a camera.
#[derive(Clone, Debug)]
pub struct CameraGrant {
    pub(super) actor: Actor,
    pub(super) camera: Camera,
    pub(super) deed: Deed,
}

impl CameraGrant {
    pub const fn camera(&self) -> &Camera {
        &self.camera
    }

    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// An entry of the audit about something done to the camera; its agency's auditors see it,
    /// whoever did it.
    pub(in crate::services) fn entry(&self, at: WallTime, what: What) -> Entry {
        self.actor
            .entry(at, what)
            .on(self.camera.id)
            .in_agency(Some(self.camera.agency.clone()))
    }

    /// The camera, provided the grant is for this deed.
    pub(in crate::services) fn for_deed(&self, deed: Deed) -> Result<&Camera, AccessError> {
        // Viewing is part of every deed that can be granted on a camera.
        if self.deed == deed || deed == Deed::ViewCamera {
            Ok(&self.camera)
        } else {
            Err(AccessError::Forbidden)
        }
    }
}

/// That somebody may do a deed to the system.
#[derive(Clone, Debug)]
pub struct AdminGrant {
    pub(super) by: By,
    pub(super) deed: Deed,
}

/// Who has a grant for the system.
#[derive(Clone, Debug)]
pub(super) enum By {
    Actor(Actor),
    /// The person at the host's console.
    Console,
    /// The authority's identity management, which sent an event from here.
    Iam(Origin),
}

impl AdminGrant {
    pub(in crate::services) fn for_deed(&self, deed: Deed) -> Result<(), AccessError> {
        if self.deed == deed {
            Ok(())
        } else {
            Err(AccessError::Forbidden)
        }
    }

    /// `None` for the console and the IAM.
    pub(in crate::services) const fn actor(&self) -> Option<&Actor> {
        match &self.by {
            By::Actor(actor) => Some(actor),
            By::Console | By::Iam(_) => None,
        }
    }

    pub(in crate::services) const fn deed(&self) -> Deed {
        self.deed
    }

    /// An entry of the audit about something this person does.
    pub(in crate::services) fn entry(&self, at: WallTime, what: What) -> Entry {
        match &self.by {
            By::Actor(actor) => actor.entry(at, what),
            By::Console => Entry::new(at, Who::Console, what),
            By::Iam(origin) => Entry::new(at, Who::System, what).from_origin(origin.clone()),
        }
    }

    pub(in crate::services) fn user_id(&self) -> Option<UserId> {
        self.actor().map(Actor::user_id)
    }

    /// Whether a camera may be counted or named.
    pub(in crate::services) fn may_view(&self, camera: &Camera) -> bool {
        self.decide(Deed::ViewCamera, camera.object()) == Decision::Allowed
    }

    /// The console and the IAM may do everything.
    pub(in crate::services) fn decide(&self, deed: Deed, object: Object<'_>) -> Decision {
        self.actor()
            .map_or(Decision::Allowed, |actor| actor.decide(deed, object))
    }

    /// What whoever has this grant may do at all.
    pub(in crate::services) fn permissions(&self) -> Permissions {
        self.actor()
            .map_or_else(Permissions::everything, |actor| actor.permissions().clone())
    }
}

/// That an actor may use a playback that they prepared.
#[derive(Clone, Debug)]
pub struct PlaybackGrant {
    pub(super) playback: Playback,
    pub(super) grant: CameraGrant,
}

impl PlaybackGrant {
    pub const fn playback(&self) -> &Playback {
        &self.playback
    }

    /// An entry of the audit about the playback.
    pub(in crate::services) fn entry(&self, at: WallTime, what: What) -> Entry {
        self.grant.entry(at, what)
    }

    pub const fn camera(&self) -> &Camera {
        &self.grant.camera
    }

    pub(in crate::services) const fn actor(&self) -> &Actor {
        &self.grant.actor
    }
}
