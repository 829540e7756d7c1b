// SPDX-License-Identifier: GPL-2.0-only
//! Types of kernel objects: what lies where, and typed pointers that may dangle.

use machine::{Addr, CellKind, Layout};

use crate::Kernel;

/// A value that fits in one cell.
pub trait Value: Copy {
    /// As the content of a cell.
    fn to_value(self) -> i64;
    /// From the content of a cell.
    fn from_value(value: i64) -> Self;
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl Value for $int {
            fn to_value(self) -> i64 {
                self as i64
            }
            fn from_value(value: i64) -> Self {
                value as $int
            }
        }
    )*};
}

integers!(i32, i64, u32, u64, usize);

impl Value for bool {
    fn to_value(self) -> i64 {
        i64::from(self)
    }
    fn from_value(value: i64) -> Self {
        value != 0
    }
}

impl Value for Addr {
    fn to_value(self) -> i64 {
        self.to_value()
    }
    fn from_value(value: i64) -> Self {
        Addr::from_value(value)
    }
}

/// Something that lies in an object: a handle to its cells. To make one is no access, as `&net->count` is none.
pub trait Field: Copy {
    /// How many cells it takes.
    const CELLS: usize;
    /// How they are used.
    const KIND: CellKind;
    /// What they are called, where it is a structure.
    const PARTS: &'static [&'static str] = &[];
    /// The one that begins at `addr`.
    fn at(addr: Addr) -> Self;
    /// Where it begins.
    fn addr(self) -> Addr;
}

/// A pointer to an object of a known type. It may be NULL, poison, or dangle: only an access finds out.
pub trait Pointer: Value + PartialEq {
    /// The pointer to the object that begins at `addr`.
    fn at(addr: Addr) -> Self;
    /// Where the object begins.
    fn addr(self) -> Addr;
    /// Its type.
    fn layout() -> &'static Layout;

    /// `NULL`
    fn null() -> Self {
        Self::at(Addr::NULL)
    }
    /// Whether it is `NULL`.
    fn is_null(self) -> bool {
        self.addr().is_null()
    }
    /// `container_of()`: the object whose `member` is `link`. A link in an object of another type is a type
    /// confusion, which ends the task here, before the wrong object is used.
    #[track_caller]
    fn container_of<F: Field>(kernel: &Kernel, link: F, member: fn(Self) -> F) -> impl Future<Output = Self> {
        crate::list::container_of(kernel, link, member)
    }
}

/// The first cell of the `n`-th field, when the fields have these numbers of cells.
pub const fn offset(cells: &[usize], n: usize) -> usize {
    let mut sum = 0;
    let mut i = 0;
    while i < n {
        sum += cells[i];
        i += 1;
    }
    sum
}

/// Declares a type of kernel objects: the pointer to one, with a method for each field.
///
/// ```
/// use kernel::{Atomic, ListHead, Pointer};
///
/// kernel::object! {
///     /// `struct fruit *`
///     pub struct FruitPtr("struct fruit", "fruit", "kmalloc") {
///         /// References.
///         pub count: Atomic,
///         /// Links of the basket.
///         pub list: ListHead,
///     }
/// }
/// assert_eq!(FruitPtr::layout().cells(), 3);
/// ```
#[macro_export]
macro_rules! object {
    ($(#[$doc:meta])* $vis:vis struct $ptr:ident($name:literal, $short:literal, $cache:literal) {
        $($(#[$field_doc:meta])* $field_vis:vis $field:ident: $ty:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        $vis struct $ptr($crate::Addr);

        const _: () = {
            #[expect(non_camel_case_types, reason = "named as the fields are")]
            enum Index { $($field,)* }

            const CELLS: &[usize] = &[$(<$ty as $crate::Field>::CELLS,)*];

            static LAYOUT: $crate::Layout = $crate::Layout {
                name: $name,
                short: $short,
                cache: $cache,
                fields: &[$($crate::LayoutField {
                    name: stringify!($field),
                    cell: $crate::offset(CELLS, Index::$field as usize),
                    cells: <$ty as $crate::Field>::CELLS,
                    kind: <$ty as $crate::Field>::KIND,
                    parts: <$ty as $crate::Field>::PARTS,
                },)*],
            };

            impl $ptr {
                $($(#[$field_doc])* $field_vis fn $field(self) -> $ty {
                    const OFFSET: usize = $crate::offset(CELLS, Index::$field as usize);
                    <$ty as $crate::Field>::at(self.0.plus(OFFSET))
                })*
            }

            impl $crate::Pointer for $ptr {
                fn at(addr: $crate::Addr) -> Self {
                    $ptr(addr)
                }
                fn addr(self) -> $crate::Addr {
                    self.0
                }
                fn layout() -> &'static $crate::Layout {
                    &LAYOUT
                }
            }

            impl $crate::Value for $ptr {
                fn to_value(self) -> i64 {
                    self.0.to_value()
                }
                fn from_value(value: i64) -> Self {
                    $ptr($crate::Addr::from_value(value))
                }
            }
        };
    };
}
