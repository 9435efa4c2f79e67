//! Users, roles, and what they may.

use etcd_client::{Client, Permission, RoleRevokePermissionOptions, Txn, TxnOp};

use crate::{Result, connect, refused};

/// Turns authentication on, shows what each may do, and turns it off again.
pub async fn auth(mut client: Client) -> Result {
    refused(client.auth_enable().await, "etcdserver: root user does not exist")?;
    client.user_add("root", "root-password", None).await?;
    client.role_add("root").await?;
    client.user_grant_role("root", "root").await?;
    client.user_add("reader", "reader-password", None).await?;
    client.role_add("read").await?;
    client.role_grant_permission("read", Permission::read("auth/").with_prefix()).await?;
    client.user_grant_role("reader", "read").await?;
    refused(client.user_add("reader", "x", None).await, "etcdserver: user name already exists")?;
    refused(client.role_add("read").await, "etcdserver: role name already exists")?;
    refused(client.user_grant_role("reader", "absent").await, "etcdserver: role name not found")?;
    client.put("auth/key", "secret", None).await?;
    client.auth_enable().await?;

    refused(client.get("auth/key", None).await, "etcdserver: user name is empty")?;
    let wrong = connect(Some(("root", "wrong"))).await.map(|_| ());
    refused(wrong, "etcdserver: authentication failed, invalid user ID or password")?;
    let mut root = connect(Some(("root", "root-password"))).await?;
    let mut reader = connect(Some(("reader", "reader-password"))).await?;
    assert_eq!(reader.get("auth/key", None).await?.kvs()[0].value_str()?, "secret");
    refused(reader.put("auth/key", "changed", None).await, "etcdserver: permission denied")?;
    refused(reader.get("elsewhere", None).await, "etcdserver: permission denied")?;
    let mixed = Txn::new().and_then([TxnOp::get("auth/key", None), TxnOp::put("auth/key", "changed", None)]);
    refused(reader.txn(mixed).await, "etcdserver: permission denied")?;
    refused(reader.user_list().await, "etcdserver: permission denied")?;

    // A new password drops the user's tokens; this client is told to fetch another.
    root.user_change_password("reader", "reader-password").await?;
    refused(reader.get("auth/key", None).await, "etcdserver: invalid auth token")?;
    reader.refresh_token().await?;
    assert_eq!(reader.get("auth/key", None).await?.count(), 1);

    assert_eq!(root.user_get("reader").await?.roles(), ["read"]);
    assert_eq!(root.user_list().await?.users().len(), 2);
    assert_eq!(root.role_get("read").await?.permissions(), [Permission::read("auth/").with_prefix()]);
    assert_eq!(root.role_list().await?.roles().len(), 2);
    refused(root.user_get("absent").await, "etcdserver: user name not found")?;
    let whole = RoleRevokePermissionOptions::new().with_prefix();
    root.role_revoke_permission("read", "auth/", Some(whole)).await?;
    refused(reader.get("auth/key", None).await, "etcdserver: permission denied")?;
    root.user_revoke_role("reader", "read").await?;
    root.role_delete("read").await?;
    root.user_delete("reader").await?;
    root.auth_disable().await?;
    assert_eq!(client.get("auth/key", None).await?.count(), 1);
    Ok(())
}
