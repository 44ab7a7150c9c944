; An idle guest as real ones are: halted, and woken by its timer 100 times a second.
bits 16
org 0
%include "tick.inc"
.halt:  hlt
        jmp     .halt
