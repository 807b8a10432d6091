alter table users add column language text check (language in ('en', 'ar'));
