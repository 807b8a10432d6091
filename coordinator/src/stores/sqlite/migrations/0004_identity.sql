-- Who may do what becomes data: roles, groups, and the rules that they and people have.

create table roles (
  code text not null primary key check (length(code) between 1 and 32),
  name_en text not null,
  name_ar text not null,
  rules text not null,
  built_in integer not null default 0 check (built_in in (0, 1)),
  revision integer not null default 1
) strict, without rowid;

insert into roles (code, name_en, name_ar, rules, built_in) values
  ('administrator', 'Administrator', 'مدير النظام', '["*"]', 1),
  ('agency_administrator', 'Agency administrator', 'مدير الجهة',
    '["camera:own:*","user:own:admin","group:own:admin","audit:own:view","agency:own:view"]', 1),
  ('operator', 'Operator', 'مشغّل', '["camera:own:view","camera:own:playback"]', 1),
  ('auditor', 'Auditor', 'مدقّق', '["audit:*:view","audit:*:export"]', 1);

create table groups (
  id blob not null primary key check (length(id) = 16),
  name_en text not null,
  name_ar text not null,
  agency text references agencies,
  rules text not null,
  revision integer not null default 1
) strict, without rowid;

create table group_roles (
  group_id blob not null references groups on delete cascade,
  role text not null references roles,
  primary key (group_id, role)
) strict, without rowid;

alter table users add column name_ar text;
alter table users add column email text;
alter table users add column employee_number text;
alter table users add column department text;
alter table users add column section text;
alter table users add column rules text not null default '[]';
alter table users add column created_us integer not null default 0;
alter table users add column revision integer not null default 1;

create unique index users_by_employee_number on users (employee_number) where employee_number is not null;

create table user_roles (
  user_id blob not null references users on delete cascade,
  role text not null references roles,
  primary key (user_id, role)
) strict, without rowid;

insert into user_roles (user_id, role) select id, role from users;

alter table users drop column role;

create table group_members (
  user_id blob not null references users on delete cascade,
  group_id blob not null references groups on delete cascade,
  primary key (user_id, group_id)
) strict, without rowid;

create index group_members_by_group on group_members (group_id);

alter table agencies add column revision integer not null default 1;

create table directory (
  one integer primary key check (one = 1),
  revision integer not null
) strict;

insert into directory (one, revision) values (1, 1);
