//! Rules made quick to ask: a few comparisons for each question, however many rules there are.

use shared::id::CameraId;

use super::Object;
use super::permission::{Action, Kind, Permission, Rule, Scope};
use crate::domain::agency::AgencyCode;

/// What somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    allowed: [Reach; Kind::ALL.len()],
    denied: [Reach; Kind::ALL.len()],
    /// As they were given, for display and for handing on.
    rules: Vec<Rule>,
    /// What allows no more than these do together with it.
    limit: Option<Box<Self>>,
}

/// Which actions are meant for which things of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Reach {
    everything: Actions,
    /// Sorted.
    agencies: Vec<(AgencyCode, Actions)>,
    /// Sorted.
    cameras: Vec<(CameraId, Actions)>,
}

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Actions(u8);

impl Permissions {
    /// The rules of somebody of an agency.
    pub fn new(rules: impl IntoIterator<Item = Rule>, agency: Option<&AgencyCode>) -> Self {
        let mut rules: Vec<Rule> = rules
            .into_iter()
            .filter_map(|rule| rule.of(agency))
            .collect();
        rules.sort_unstable();
        rules.dedup();
        let mut permissions = Self::default();
        for rule in &rules {
            let (reaches, actions) = match rule {
                Rule::Allow(it) => (&mut permissions.allowed, Actions::allowed_by(it.action)),
                Rule::Deny(it) => (&mut permissions.denied, Actions::denied_by(it.action)),
            };
            for kind in Kind::ALL {
                let permission = rule.permission();
                if permission.kind.is_none_or(|meant| meant == *kind) {
                    reaches[*kind as usize].add(&permission.scope, actions);
                }
            }
        }
        permissions.rules = rules;
        permissions
    }

    /// Of whoever owns the machine.
    pub fn everything() -> Self {
        Self::new([Rule::Allow(Permission::EVERYTHING)], None)
    }

    /// The same with no more than `scopes` allow: whatever either does not allow is not allowed.
    #[must_use]
    pub fn narrowed(
        mut self,
        scopes: impl IntoIterator<Item = Rule>,
        agency: Option<&AgencyCode>,
    ) -> Self {
        let scopes = Self::new(scopes, agency);
        let denials = self
            .rules
            .iter()
            .filter(|rule| matches!(rule, Rule::Deny(_)));
        let mut rules: Vec<Rule> = scopes.rules.iter().chain(denials).cloned().collect();
        rules.sort_unstable();
        rules.dedup();
        self.rules = rules;
        self.limit = Some(Box::new(scopes));
        self
    }

    /// Allowances first, then denials; `own` is replaced by the agency.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether some thing of the kind may be acted on, so that asking for a list makes sense.
    pub fn allow_some(&self, kind: Kind, action: Action) -> bool {
        let wanted = Actions::only(action);
        let (allowed, denied) = (&self.allowed[kind as usize], &self.denied[kind as usize]);
        let some = !denied.everything.meet(wanted) && allowed.union().meet(wanted);
        some && self
            .limit
            .as_ref()
            .is_none_or(|limit| limit.allow_some(kind, action))
    }

    /// The agencies that rules about things of the kind name, each once or twice; for every other agency,
    /// what holds for things of none holds too.
    pub fn agencies_named(&self, kind: Kind) -> impl Iterator<Item = &AgencyCode> {
        [&self.allowed[kind as usize], &self.denied[kind as usize]]
            .into_iter()
            .flat_map(|reach| reach.agencies.iter().map(|(code, _)| code))
    }

    pub(super) fn allow(&self, kind: Kind, action: Action, object: Object<'_>) -> bool {
        let wanted = Actions::only(action);
        self.allowed[kind as usize].on(object).meet(wanted)
            && !self.denied[kind as usize].on(object).meet(wanted)
            && self
                .limit
                .as_ref()
                .is_none_or(|limit| limit.allow(kind, action, object))
    }

    /// Whether whoever has these may hand `permission` to others: they may do all of it themselves.
    /// `own` counts as every agency; resolve it first where the agency is known. What is denied on
    /// single cameras counts against every agency, because those cameras may belong to it.
    pub fn cover(&self, permission: &Permission) -> bool {
        if self
            .limit
            .as_ref()
            .is_some_and(|limit| !limit.cover(permission))
        {
            return false;
        }
        let wanted = Actions::allowed_by(permission.action);
        Kind::ALL
            .iter()
            .filter(|kind| permission.kind.is_none_or(|meant| meant == **kind))
            .all(|kind| {
                let (allowed, denied) =
                    (&self.allowed[*kind as usize], &self.denied[*kind as usize]);
                allowed.within(&permission.scope).include(wanted)
                    && !denied.touching(&permission.scope).meet(wanted)
            })
    }
}

impl Reach {
    fn add(&mut self, scope: &Scope, actions: Actions) {
        match scope {
            Scope::Everything => self.everything.add(actions),
            Scope::Agency(code) => entry(&mut self.agencies, code).add(actions),
            Scope::Camera(id) => entry(&mut self.cameras, id).add(actions),
            // Resolved before; of somebody without an agency it means nothing.
            Scope::Own => {}
        }
    }

    fn on(&self, object: Object<'_>) -> Actions {
        let mut actions = self.everything;
        match object {
            Object::Camera { agency, id } => {
                actions.add(find(&self.agencies, agency));
                actions.add(find(&self.cameras, &id));
            }
            Object::Of(Some(agency)) => actions.add(find(&self.agencies, agency)),
            Object::Of(None) | Object::System => {}
        }
        actions
    }

    fn union(&self) -> Actions {
        let mut all = self.everything;
        self.agencies.iter().for_each(|(_, some)| all.add(*some));
        self.cameras.iter().for_each(|(_, some)| all.add(*some));
        all
    }

    /// What holds for every thing of a scope.
    fn within(&self, scope: &Scope) -> Actions {
        let mut actions = self.everything;
        match scope {
            Scope::Everything | Scope::Own => {}
            Scope::Agency(code) => actions.add(find(&self.agencies, code)),
            Scope::Camera(id) => actions.add(find(&self.cameras, id)),
        }
        actions
    }

    /// What holds for at least one thing that may be in a scope.
    fn touching(&self, scope: &Scope) -> Actions {
        let mut actions = self.everything;
        match scope {
            Scope::Everything | Scope::Own => return self.union(),
            Scope::Agency(code) => {
                actions.add(find(&self.agencies, code));
                self.cameras.iter().for_each(|(_, some)| actions.add(*some));
            }
            Scope::Camera(id) => {
                actions.add(find(&self.cameras, id));
                self.agencies
                    .iter()
                    .for_each(|(_, some)| actions.add(*some));
            }
        }
        actions
    }
}

impl Actions {
    const fn only(action: Action) -> Self {
        Self(1 << action as u8)
    }

    const fn all() -> Self {
        Self(u8::MAX >> (8 - Action::ALL.len()))
    }

    const fn allowed_by(action: Option<Action>) -> Self {
        match action {
            None | Some(Action::Admin) => Self::all(),
            Some(action) => Self::only(action),
        }
    }

    const fn denied_by(action: Option<Action>) -> Self {
        match action {
            None => Self::all(),
            Some(action) => Self::only(action),
        }
    }

    const fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    const fn meet(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn include(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

fn entry<'a, K: Ord + Clone>(sorted: &'a mut Vec<(K, Actions)>, key: &K) -> &'a mut Actions {
    let place = sorted.binary_search_by(|(known, _)| known.cmp(key));
    let place = place.unwrap_or_else(|place| {
        sorted.insert(place, (key.clone(), Actions::default()));
        place
    });
    &mut sorted[place].1
}

fn find<K: Ord>(sorted: &[(K, Actions)], key: &K) -> Actions {
    sorted
        .binary_search_by(|(known, _)| known.cmp(key))
        .map_or_else(|_| Actions::default(), |place| sorted[place].1)
}
