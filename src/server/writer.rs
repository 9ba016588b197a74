//! Rows of plain tables that are inserted, and changed.

use crate::server::columns::Columns;
use crate::server::heap::Table;
use crate::server::interrupts::check_for_interrupts;
use crate::server::scan::Scan;
use pgrx::pg_sys;

/// The executor's state for writes to one table: its indexes are opened once.
pub struct Writer<'t> {
    table: &'t Table,
    state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
}

/// Rows that go to a page together, with one record of the log.
const BATCH: usize = 64;

impl Table {
    pub fn writer(&self) -> Writer<'_> {
        // SAFETY: as CatalogOpenIndexes and the apply worker of logical replication do it. Range table index 0: none.
        unsafe {
            let state = pg_sys::CreateExecutorState();
            let relation = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*relation).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(relation, self.heap, 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(relation, false);
            Writer { table: self, state, relation }
        }
    }
}

impl Writer<'_> {
    /// Inserts rows, which have a value for each column of the table; None is NULL.
    pub fn insert<const COLUMNS: usize>(&mut self, rows: impl Iterator<Item = [Option<pg_sys::Datum>; COLUMNS]>) {
        let mut slots: Vec<Slot> = Vec::new();
        let mut used = 0;
        for row in rows {
            if used == BATCH {
                self.insert_batch(&slots);
                used = 0;
            }
            if used == slots.len() {
                slots.push(Slot::of(self.table));
            }
            slots[used].fill(&row);
            used += 1;
        }
        self.insert_batch(&slots[..used]);
    }

    fn insert_batch(&mut self, slots: &[Slot]) {
        check_for_interrupts();
        // SAFETY: the slots are filled, each column with its own type, as `Shape` and the callers have it; the heap is one
        // (`Table::open`). As CatalogTuplesMultiInsertWithInfo does it.
        unsafe {
            match slots {
                [] => {}
                [slot] => pg_sys::simple_table_tuple_insert(self.table.heap, slot.0),
                several => {
                    let mut slots: Vec<*mut pg_sys::TupleTableSlot> = several.iter().map(|slot| slot.0).collect();
                    let command = pg_sys::GetCurrentCommandId(true);
                    let count = slots.len() as i32;
                    pg_sys::heap_multi_insert(
                        self.table.heap,
                        slots.as_mut_ptr(),
                        count,
                        command,
                        0,
                        std::ptr::null_mut(),
                    );
                }
            }
        }
        slots.iter().for_each(|slot| self.index(slot, false, false));
    }

    /// Gives the row on which a scan stands, and which it has locked, other values in some columns.
    pub fn update(&mut self, row: &Scan<'_>, changes: &[(i32, Option<pg_sys::Datum>)]) {
        let mut updated = Slot::of(self.table);
        updated.copy(row, changes);
        // SAFETY: the row is locked, so it is the newest one. As ExecSimpleRelationUpdate does it.
        unsafe {
            pg_sys::CheckCmdReplicaIdentity(self.table.heap, pg_sys::CmdType::CMD_UPDATE);
            let snapshot = pg_sys::GetActiveSnapshot();
            let (heap, tid) = (self.table.heap, &raw mut (*row.slot).tts_tid);
            #[cfg(feature = "pg15")]
            let (indexes, summarizing) = {
                let mut indexes = false;
                pg_sys::simple_table_tuple_update(heap, tid, updated.0, snapshot, &mut indexes);
                (indexes, false)
            };
            #[cfg(not(feature = "pg15"))]
            let (indexes, summarizing) = {
                let mut indexes = pg_sys::TU_UpdateIndexes::TU_None;
                pg_sys::simple_table_tuple_update(heap, tid, updated.0, snapshot, &mut indexes);
                (indexes != pg_sys::TU_UpdateIndexes::TU_None, indexes == pg_sys::TU_UpdateIndexes::TU_Summarizing)
            };
            if indexes {
                self.index(&updated, true, summarizing);
            }
        }
    }

    /// Adds a row that is in the table to the indexes.
    fn index(&self, slot: &Slot, update: bool, _summarizing: bool) {
        // SAFETY: a row that was just written, in a slot that knows where. A duplicate key raises an error.
        unsafe {
            pg_sys::ExecInsertIndexTuples(
                self.relation,
                slot.0,
                self.state,
                update,
                false,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                #[cfg(not(feature = "pg15"))]
                _summarizing,
            );
            let context = (*self.state).es_per_tuple_exprcontext;
            if !context.is_null() {
                pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            }
        }
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: made by `Table::writer`; after an error transaction abort cleans up.
            unsafe {
                pg_sys::ExecCloseIndices(self.relation);
                pg_sys::FreeExecutorState(self.state);
            }
        }
    }
}

/// Texts and bytes as values of rows that are about to be written, in few pieces of memory: PostgreSQL's own functions
/// take 400 instructions for each, which set_variables of 19 needs 80 times.
#[derive(Default)]
pub struct Values {
    /// Never longer than their capacity, so that nothing in them moves.
    pieces: Vec<Vec<u32>>,
}

/// Bytes of the header of a text or bytea.
const HEADER: usize = 4;

impl Values {
    const PIECE: usize = 1024;

    pub fn text(&mut self, text: &str) -> Option<pg_sys::Datum> {
        self.octets(text.as_bytes())
    }

    /// A text or bytea.
    pub fn octets(&mut self, octets: &[u8]) -> Option<pg_sys::Datum> {
        let size = octets.len() + HEADER;
        let words = size.div_ceil(size_of::<u32>());
        if self.pieces.last().is_none_or(|piece| piece.capacity() - piece.len() < words) {
            self.pieces.push(Vec::with_capacity(words.max(Self::PIECE)));
        }
        let piece = self.pieces.last_mut()?;
        let start = piece.len();
        piece.resize(start + words, 0);
        // SAFETY: there is room for so many bytes from `start` on, aligned to 4, and the piece does not move.
        unsafe {
            let value = piece.as_mut_ptr().add(start);
            pgrx::varlena::set_varsize_4b(value.cast(), size as i32);
            value.cast::<u8>().add(HEADER).copy_from_nonoverlapping(octets.as_ptr(), octets.len());
            Some(pg_sys::Datum::from(value))
        }
    }

    /// A text array.
    pub fn texts(&mut self, texts: &[String]) -> Option<pg_sys::Datum> {
        let mut elements: Vec<pg_sys::Datum> = texts.iter().filter_map(|text| self.text(text)).collect();
        // SAFETY: text values, which construct_array copies.
        unsafe {
            let count = elements.len() as i32;
            let align = pg_sys::TYPALIGN_INT as std::ffi::c_char;
            let array = pg_sys::construct_array(elements.as_mut_ptr(), count, pg_sys::TEXTOID, -1, false, align);
            Some(pg_sys::Datum::from(array))
        }
    }
}

/// A row that is about to be written.
struct Slot(*mut pg_sys::TupleTableSlot);

impl Slot {
    fn of(table: &Table) -> Slot {
        // SAFETY: the descriptor of an open table.
        Slot(unsafe { pg_sys::MakeSingleTupleTableSlot((*table.heap).rd_att, &raw const pg_sys::TTSOpsVirtual) })
    }

    fn fill(&mut self, values: &[Option<pg_sys::Datum>]) {
        // SAFETY: the slot has as many columns as its descriptor, of which there are as many as values.
        unsafe {
            let slot = &mut *self.0;
            assert_eq!(values.len(), (*slot.tts_tupleDescriptor).natts as usize);
            pg_sys::ExecClearTuple(slot);
            for (index, value) in values.iter().enumerate() {
                *slot.tts_values.add(index) = value.unwrap_or(pg_sys::Datum::from(0));
                *slot.tts_isnull.add(index) = value.is_none();
            }
            pg_sys::ExecStoreVirtualTuple(slot);
        }
    }

    fn copy(&mut self, row: &Scan<'_>, changes: &[(i32, Option<pg_sys::Datum>)]) {
        // SAFETY: reads the number of columns.
        let columns = unsafe { (*(*self.0).tts_tupleDescriptor).natts };
        let values: Vec<Option<pg_sys::Datum>> = (1..=columns)
            .map(|column| match changes.iter().find(|(changed, _)| *changed == column) {
                Some((_, value)) => *value,
                None => Some(row.datum(column)).filter(|(_, null)| !null).map(|(datum, _)| datum),
            })
            .collect();
        self.fill(&values);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: made by `Slot::of`.
            unsafe { pg_sys::ExecDropSingleTupleTableSlot(self.0) };
        }
    }
}
