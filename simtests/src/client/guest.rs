//! Users who log in with passwords and ask for what they may and may not have, and an administrator who changes the
//! rules meanwhile.
use super::{Client, Ended, User};
use crate::judge::{PERMIT_KEYS as KEYS, Permits};
use detcd_core::{Refusal, auth::ROOT};
use detcd_driver::{Caller, Node};
use detcd_jepsen_like::history::{
    Compare, CompareResult, CompareTarget, DeleteRequest, Outcome, PutRequest, RangeRequest, Request,
    TxnRequest,
};
use detcd_proto::{
    authpb::{Permission, permission::Type},
    etcdserverpb as pb,
};
use detcd_runtime_sim::{Answer, Sim, answer};

/// A login takes longer than most clients would wait.
const PATIENCE_NS: u64 = 400_000_000;

/// What users belong to.
const ROLES: u64 = 3;

/// The password of a user; it has another one for a while now and then.
fn password(user: &str, turn: u64) -> String {
    format!("{user}-{turn}")
}

const TURNS: u64 = 2;

/// Who logs in, works, and logs in again when its token is known no more.
pub struct Guest {
    pub client: Client,
    pub name: String,
    pub permits: Permits,
    writes: u64,
}

impl Guest {
    pub fn new(client: Client, name: String, permits: Permits) -> Guest {
        Guest { client, name, permits, writes: 0 }
    }

    pub async fn work(mut self, stopped: impl Fn() -> bool) {
        while !stopped() {
            self.client.member = self.client.dice.index(self.client.cluster.len());
            if self.client.user.is_none() {
                self.log_in().await;
            } else {
                let request = self.request();
                if let Ended::Answered(Outcome::Failed(why)) = self.client.perform(request).await
                    && format!("{why:?}").contains("invalid auth token")
                {
                    self.client.user = None;
                }
            }
            let nap = self.client.dice.between(1_000_000, 40_000_000);
            self.client.cluster.stage().nap(nap).await;
        }
    }

    async fn log_in(&mut self) {
        // A third of the time with a password that nobody ever had.
        let turn = self.client.dice.below(TURNS + 1);
        let request =
            pb::AuthenticateRequest { name: self.name.clone(), password: password(&self.name, turn) };
        let call = async move |node: Node<Sim>| node.asked_by(Caller::default()).authenticate(request).await;
        let Some(Ok(response)) = self.client.ask(call).await else { return };
        let stage = self.client.cluster.stage().clone();
        if turn == TURNS {
            return stage.enter(|world| {
                world.trouble("auth", format!("{} logged in with a wrong password", self.name));
            });
        }
        stage.enter(|world| world.count("client: logged in"));
        let caller = Caller::with_token(&response.token);
        self.client.user = Some(User { name: self.name.clone(), caller, permits: self.permits.clone() });
    }

    fn request(&mut self) -> Request {
        let dice = &mut self.client.dice;
        let key = |dice: &mut detcd_runtime_sim::Dice| dice.pick(&KEYS).as_bytes().to_vec();
        self.writes += 1;
        let value = format!("{}-{}", self.name, self.writes).into_bytes();
        let put = PutRequest { key: key(dice), value, ..PutRequest::default() };
        let range = RangeRequest { key: key(dice), serializable: dice.coin(), ..RangeRequest::default() };
        match dice.weighted(&[4, 4, 2, 1, 2]) {
            0 => Request::Put(put),
            1 => Request::Range(range),
            2 => {
                let (one, two) = (key(dice), key(dice));
                let (key, range_end) = if one < two { (one, two) } else { (two, b"auth/9".to_vec()) };
                Request::Range(RangeRequest { key, range_end, ..range })
            }
            3 => Request::Delete(DeleteRequest { key: put.key, ..DeleteRequest::default() }),
            _ => {
                let guard = Compare {
                    key: key(dice),
                    range_end: Vec::new(),
                    target: CompareTarget::CreateRevision(0),
                    result: CompareResult::Equal,
                };
                let (success, failure) = (vec![Request::Put(put)], vec![Request::Range(range)]);
                Request::Txn(TxnRequest { compares: vec![guard], success, failure })
            }
        }
    }
}

/// Sets users and roles up, switches authentication on, and goes on changing things.
pub struct Administrator {
    pub client: Client,
    pub users: Vec<String>,
    pub permits: Permits,
}

impl Administrator {
    pub async fn work(mut self, stopped: impl Fn() -> bool) {
        let mut first =
            vec![Order::AddUser(ROOT.to_string()), Order::GrantRole(ROOT.to_string(), ROOT.to_string())];
        first.extend((0..ROLES).map(|role| Order::AddRole(format!("r{role}"))));
        first.extend(self.users.iter().cloned().map(Order::AddUser));
        for (place, user) in self.users.iter().enumerate() {
            first.push(Order::GrantRole(user.clone(), format!("r{}", place as u64 % ROLES)));
        }
        for role in 0..ROLES {
            first.push(Order::Grant(format!("r{role}"), self.permission()));
        }
        first.push(Order::Enable);
        for order in first {
            while !stopped() && !self.obeyed(order.clone()).await {}
        }
        while !stopped() {
            let order = self.order();
            let switches_off = matches!(order, Order::Disable);
            if switches_off {
                self.permits.off_until(u64::MAX);
            }
            self.obeyed(order).await;
            while switches_off && !stopped() {
                self.pause(50_000_000).await;
                if self.obeyed(Order::Enable).await {
                    self.permits.off_until(self.client.cluster.stage().now());
                    break;
                }
            }
            self.pause(150_000_000).await;
        }
    }

    async fn pause(&mut self, most_ns: u64) {
        let nap = self.client.dice.between(1_000_000, most_ns);
        self.client.cluster.stage().nap(nap).await;
    }

    /// Whether it is done, by this order or by one before it.
    async fn obeyed(&mut self, order: Order) -> bool {
        self.client.member = self.client.dice.index(self.client.cluster.len());
        self.client.note(format_args!("> m{} {order:?}", self.client.member + 1));
        let obeyed = self.client.ask(async move |node: Node<Sim>| obey(&node, order).await).await;
        self.client.note(format_args!("< {obeyed:?}"));
        let is_done =
            matches!(obeyed, Some(Ok(()) | Err(Refusal::UserAlreadyExist | Refusal::RoleAlreadyExist)));
        if is_done {
            self.client.cluster.stage().enter(|world| world.count("client: rules changed"));
        } else {
            self.pause(20_000_000).await;
        }
        is_done
    }

    fn permission(&mut self) -> Permission {
        let dice = &mut self.client.dice;
        let perm_type = (*dice.pick(&[Type::Read, Type::Write, Type::Readwrite])).into();
        let (one, two) = (*dice.pick(&KEYS), *dice.pick(&KEYS));
        let range_end = match dice.below(3) {
            _ if one >= two => "",
            0 => "",
            _ => two,
        };
        Permission { perm_type, key: one.into(), range_end: range_end.into() }
    }

    fn order(&mut self) -> Order {
        let role = format!("r{}", self.client.dice.below(ROLES));
        let user = self.client.dice.pick(&self.users).clone();
        match self.client.dice.weighted(&[6, 5, 3, 3, 3, 2, 2, 1, 1, 1]) {
            0 => Order::Grant(role, self.permission()),
            1 => Order::Revoke(role, self.permission()),
            2 => Order::GrantRole(user, role),
            3 => Order::RevokeRole(user, role),
            4 => Order::Password(user.clone(), password(&user, self.client.dice.below(TURNS))),
            5 => Order::DeleteUser(user),
            6 => Order::AddUser(user),
            7 => Order::DeleteRole(role),
            8 => Order::AddRole(role),
            _ => Order::Disable,
        }
    }
}

#[derive(Clone, Debug)]
enum Order {
    AddUser(String),
    DeleteUser(String),
    Password(String, String),
    AddRole(String),
    DeleteRole(String),
    GrantRole(String, String),
    RevokeRole(String, String),
    Grant(String, Permission),
    Revoke(String, Permission),
    Enable,
    Disable,
}

async fn obey(node: &Node<Sim>, order: Order) -> Result<(), Refusal> {
    match order {
        Order::AddUser(name) => {
            let password = password(&name, 0);
            node.user_add(pb::AuthUserAddRequest { name, password, ..Default::default() }).await.map(|_| ())
        }
        Order::DeleteUser(name) => node.user_delete(pb::AuthUserDeleteRequest { name }).await.map(|_| ()),
        Order::Password(name, password) => {
            let change = pb::AuthUserChangePasswordRequest { name, password, ..Default::default() };
            node.user_change_password(change).await.map(|_| ())
        }
        Order::AddRole(name) => node.role_add(pb::AuthRoleAddRequest { name }).await.map(|_| ()),
        Order::DeleteRole(role) => node.role_delete(pb::AuthRoleDeleteRequest { role }).await.map(|_| ()),
        Order::GrantRole(user, role) => {
            node.user_grant_role(pb::AuthUserGrantRoleRequest { user, role }).await.map(|_| ())
        }
        Order::RevokeRole(name, role) => {
            node.user_revoke_role(pb::AuthUserRevokeRoleRequest { name, role }).await.map(|_| ())
        }
        Order::Grant(name, perm) => {
            let grant = pb::AuthRoleGrantPermissionRequest { name, perm: Some(perm) };
            node.role_grant_permission(grant).await.map(|_| ())
        }
        Order::Revoke(role, Permission { key, range_end, .. }) => {
            let revoke = pb::AuthRoleRevokePermissionRequest { role, key, range_end };
            node.role_revoke_permission(revoke).await.map(|_| ())
        }
        Order::Enable => node.auth_enable(pb::AuthEnableRequest {}).await.map(|_| ()),
        Order::Disable => node.auth_disable(pb::AuthDisableRequest {}).await.map(|_| ()),
    }
}

impl Client {
    /// Calls this client's member for something that is no part of the history; nothing if nobody answers in time.
    pub(crate) async fn ask<T: Send + 'static, F>(&mut self, call: impl FnOnce(Node<Sim>) -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let stage = self.cluster.stage().clone();
        let deadline = stage.now() + self.manners.patience_ns.max(PATIENCE_NS);
        let (there, back) = (self.manners.link.draw(&mut self.dice), self.manners.link.draw(&mut self.dice));
        stage.nap(there).await;
        let (node, life) = self.cluster.node(self.member)?;
        let (done, mut asked) = answer();
        let (member, home) = (self.member, stage.clone());
        let called = call(node);
        let started = stage.spawn_on(member, "request", async move {
            let result = called.await;
            home.enter(|world| {
                if world.is_up(member) && world.life_of(member) == life {
                    world.after(back, move |_| Answer::give(done, result));
                }
            });
        });
        if !started {
            return None;
        }
        asked.until(&stage, deadline).await
    }
}
