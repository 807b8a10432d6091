-- Agents tell the time zone of their site in the greeting.
alter table agents add column time_zone text;
