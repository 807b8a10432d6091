//! Fragments as compact bytes, for back ends that keep them in one column.
